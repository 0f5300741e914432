"""Pictures of training and evaluation, as matplotlib's figures; `pictures.save` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.errors import typed
from lenet_gpu.report.pictures import draw_if_possible, new_figure, save
from lenet_gpu.training.callbacks import Callback, TrainingRun
from lenet_gpu.training.checkpoint import CURVES_FILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lenet_gpu.nn.metrics import Evaluation

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
PALETTE = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Colours that stay apart for color-blind eyes (Okabe and Ito's palette)."""

MARKERS = "os^Dvx*"
"""A marker for each color, so that the two together name more runs than there are colours."""

SETS = {
    "train": ("training set", BLUE, "o"),
    "validation": ("validation set", GREEN, "^"),
    "test": ("test set", ORANGE, "s"),
}
"""Label, color and marker of a set's curves."""

MISREAD_SHOWN = 60
"""Misread digits in the picture; their number in all stands in its title."""


class Curves(Callback):
    """Draws the curves of a run into its folder when the run ends; a warning if that can't be done.

    Args:
        folder: An existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_end(self, trainer: TrainingRun) -> None:
        """Draw the curves."""
        draw_if_possible(
            lambda: save(curves(trainer.history, run_title(trainer)), self.folder / CURVES_FILE),
            f"lenet-gpu plot {typed(self.folder)}",
        )


def run_title(run: Any) -> str:
    """Name a run by its recipe and seed.

    Args:
        run: A trainer or a checkpoint.
    """
    return f"recipe {run.recipe.name}, seed {run.seed}"


def curves(history: Sequence[dict[str, Any]], title: str = "") -> Figure:
    """Draw error, loss, learning rate and time of a run against epochs.

    Args:
        history: `Run.history`; may be empty.
        title: What the run is.

    Returns:
        The figure: error and loss of every set after each epoch above, learning rate and seconds below.
    """
    figure = new_figure(10, 6.5)
    (error, loss), (rate, time) = figure.subplots(2, 2, height_ratios=(2.2, 1))
    epochs = [record["epoch"] for record in history]
    for split, (label, color, marker) in SETS.items():
        if history and f"{split}_error" in history[-1]:
            for axes, what, scale in ((error, "error", 100), (loss, "loss", 1)):
                values = [scale * record[f"{split}_{what}"] for record in history]
                axes.plot(epochs, values, marker=marker, markersize=4, color=color, label=label)
    rate.plot(epochs, [record["learning_rate"] for record in history], marker="o", markersize=4, color=GREY)
    training, evaluating = ([record.get(key, 0.0) for record in history] for key in ("seconds", "evaluation_seconds"))
    time.bar(epochs, training, color=BLUE, label="training")
    time.bar(epochs, evaluating, bottom=training, color="#b3d4e8", label="evaluation")
    error.set(title="error", ylabel="misread, %")
    loss.set(title="loss", ylabel="mean cross-entropy")
    rate.set(title="learning rate", ylabel="highest of the epoch", ylim=(0, None))
    time.set(title="time", ylabel="seconds an epoch")
    for axes in (error, loss, rate, time):
        _tidy(axes, epochs)
    if history:
        for axes in (error, loss):
            _logarithmic(axes)
        for axes in (error, time):
            axes.legend(frameon=False)
        last = history[-1]
        errors = [f"{SETS[s][0][:-4]} error {100 * last[f'{s}_error']:.2f} %" for s in SETS if f"{s}_error" in last]
        figure.suptitle(f"{title + ', ' if title else ''}epoch {last['epoch']}: {', '.join(errors)}")
    return figure


def comparison(histories: Mapping[str, Sequence[dict[str, Any]]]) -> Figure:
    """Draw the error and the loss of several runs against epochs, a color and marker for each run.

    Args:
        histories: `Run.history` by what the run is called in the legend; none may be empty.

    Returns:
        The figure. Solid lines are the validation set where all runs have one, else the test set where all have one,
        else what each has; dotted ones are the training set.
    """
    last = [history[-1] for history in histories.values()]
    common = [split for split in ("validation", "test") if all(f"{split}_error" in record for record in last)]
    figure = new_figure(11, 5 + 0.25 * len(histories))
    error, loss = figure.subplots(1, 2)
    longest: list[int] = []
    for number, (name, history) in enumerate(histories.items()):
        epochs = [record["epoch"] for record in history]
        longest = max(longest, epochs, key=len)
        color, marker = PALETTE[number % len(PALETTE)], MARKERS[number // len(PALETTE) % len(MARKERS)]
        held = next((split for split in (*common, "validation", "test") if f"{split}_error" in history[-1]), "train")
        label = f"{name}: {100 * history[-1][f'{held}_error']:.2f} % ({'training' if held == 'train' else held})"
        for axes, what, scale in ((error, "error", 100), (loss, "loss", 1)):
            solid = [scale * record[f"{held}_{what}"] for record in history]
            axes.plot(epochs, solid, marker=marker, markersize=4, color=color, label=label)
            dotted = [scale * record[f"train_{what}"] for record in history]
            axes.plot(epochs, dotted, linestyle=":", color=color)
    error.set(title="error", ylabel="misread, %")
    loss.set(title="loss", ylabel="mean cross-entropy")
    for axes in (error, loss):
        _tidy(axes, longest)
        _logarithmic(axes)
    handles, labels = error.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=9, loc="outside lower left")
    figure.suptitle(f"solid: {SETS[common[0]][0] if common else 'what each run held out'}; dotted: training set")
    return figure


def _tidy(axes: Axes, epochs: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _logarithmic(axes: Axes) -> None:
    # 0.1, 0.2, 0.5, 1, 2 ... instead of powers of ten: the curves rarely span two decades; evenly where they span
    # less than a factor of five; and where nothing is above 0, which a logarithm asks for.
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

    if not any(np.max(line.get_ydata()) > 0 for line in axes.lines):
        return
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    steps = MaxNLocator(5) if high < 5 * low else LogLocator(base=10, subs=(1.0, 2.0, 5.0))
    axes.yaxis.set_major_locator(steps)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def evaluation(
    found: Evaluation, images: np.ndarray, confidences: np.ndarray, classes: Sequence[object] | None = None
) -> Figure:
    """Draw the confusion matrix and the misread digits (the paper's figure 8 for any model).

    Args:
        found: How the images were read.
        images: (n, 28, 28) uint8.
        confidences: Probability of the digit read, (n,).
        classes: Names of the classes; their numbers if None.

    Returns:
        The figure.
    """
    names = [str(name) for name in (range(found.classes) if classes is None else classes)]
    figure = new_figure(13, 6.5)
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    left, right = halves
    _draw_confusion(left.subplots(), found.confusion, names)
    misread = np.flatnonzero(found.labels != found.predictions)
    shown = misread[np.argsort(-confidences[misread], kind="stable")][:MISREAD_SHOWN]
    title = f"{len(misread)} of {len(images):,} misread (true > read, confidence)"
    if len(misread) > len(shown):
        title += f"; the {len(shown)} most confident"
    right.suptitle(title)
    columns = next(c for c in (3, 5, 7, 10) if c == 10 or len(shown) <= 0.6 * c * c)
    for axes in right.subplots(max(1, round(0.6 * columns)), columns, squeeze=False).flat:
        axes.axis("off")
    for axes, i in zip(right.axes, shown, strict=False):
        axes.imshow(255 - images[i], cmap="gray", vmin=0, vmax=255)
        label = found.labels[i]
        true = names[label] if label < len(names) else "none"
        confidence = f"{100 * confidences[i]:.0f} %"
        axes.set_title(f"{true} > {names[found.predictions[i]]}\n{confidence}", fontsize=min(12, 70 / columns), pad=2)
    return figure


def _draw_confusion(axes: Axes, confusion: np.ndarray, names: Sequence[str]) -> None:
    # Errors alone are colored, by their root: one error is seen beside hundreds, hundreds beside one. The diagonal,
    # which would drown them, is grey.
    errors = np.where(np.eye(len(confusion), dtype=bool), 0, confusion)
    roots = np.ma.masked_equal(np.sqrt(errors), 0)
    axes.imshow(roots, cmap="Oranges", vmin=0, vmax=1.6 * max(3.0, np.sqrt(errors.max())))  # under black figures
    size = min(11.0, 110 / len(confusion))
    for (row, column), count in np.ndenumerate(confusion):
        if row == column:
            axes.add_patch(_cell(row, "#e8e8e8"))
        if count:
            axes.text(
                column, row, count, ha="center", va="center", fontsize=size, color=GREY if row == column else "black"
            )
    right, total = np.trace(confusion), max(1, confusion.sum())
    classes = range(len(confusion))
    axes.set(xticks=classes, yticks=classes, xlabel="read", ylabel="true")
    axes.set_xticklabels(names, fontsize=size, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticklabels(names, fontsize=size)
    axes.set_title(f"{100 * right / total:.2f} % of {total:,} read right; orange: misread")


def _cell(place: int, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((place - 0.5, place - 0.5), 1, 1, facecolor=color)


def augmentation_sheet(samples: np.ndarray, title: str) -> Figure:
    """Draw training images as they are and as a recipe varies them.

    Args:
        samples: (rows, columns, 32, 32), 0..255: an image a row, the first one as it is, the others varied.
        title: What is seen.

    Returns:
        The figure.
    """
    rows, columns, size, _ = samples.shape
    figure = new_figure(columns, rows + 1.1)  # a title of two lines above it, numbers and a label below
    axes = figure.subplots()
    axes.imshow(
        255 - samples.transpose(0, 2, 1, 3).reshape(rows * size, columns * size), cmap="gray", vmin=0, vmax=255
    )
    for line in range(1, rows):
        axes.axhline(line * size - 0.5, color=GREY, linewidth=0.3)
    for line in range(1, columns):
        axes.axvline(line * size - 0.5, color=BLUE if line == 1 else GREY, linewidth=1.5 if line == 1 else 0.3)
    places = [(column + 0.5) * size - 0.5 for column in range(columns)]
    axes.set(xticks=places, yticks=[], title=title)
    axes.set_xticklabels(["as it is", *map(str, range(1, columns))])
    axes.tick_params(length=0)
    axes.set_xlabel("as training sees it in ten epochs" if columns == 11 else "as training sees it")
    return figure
