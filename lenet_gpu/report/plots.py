"""Pictures of training and evaluation. Drawn without a display; a picture is written whole or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.errors import InputError, LenetError, exhausted, typed
from lenet_gpu.storage.atomic import write_atomically
from lenet_gpu.training.callbacks import Callback, TrainingRun
from lenet_gpu.training.checkpoint import CURVES_FILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lenet_gpu.nn.metrics import Evaluation

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
"""Colours that stay apart for color-blind eyes (Okabe and Ito's palette)."""

LOGGER = logging.getLogger("lenet_gpu")

SOFTWARE = "lenet-gpu"
"""Name of their origin in the pictures, by which `is_ours` knows them."""

MISREAD_SHOWN = 60
"""Misread digits in the picture; their number in all stands in its title."""


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a picture that this program drew.

    Args:
        path: An existing file.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
    except OSError:
        return False
    return start.startswith(b"\x89PNG") and b"tEXtSoftware\0" + SOFTWARE.encode() in start


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except Exception as error:  # missing, damaged, or a backend in MPLBACKEND that this Python does not have
        if exhausted(error):
            raise
        backend = os.environ.get("MPLBACKEND")
        raise InputError(
            "matplotlib",
            found=f"{type(error).__name__} ({str(error)[:200]})",
            expected="one that can be imported",
            remedy="unset MPLBACKEND" if backend else "install it again: pip install --force-reinstall matplotlib",
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    # No date or version inside: equal results give equal pictures.
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120, metadata={"Software": SOFTWARE}))


def draw_if_possible(draw: Callable[[], object], later: str) -> bool:
    """Draw a picture; warn in one line if that fails, for a picture is never worth a result.

    Args:
        draw: Draws and writes it.
        later: How to draw it once the reason is gone.

    Returns:
        Whether it was drawn.
    """
    try:
        draw()
    except LenetError as error:
        LOGGER.warning("no picture: %s; later: %s", error, later)
    except Exception as error:  # whatever matplotlib fails with, the numbers are safe
        lacking = exhausted(error)
        why = "; ".join(lacking) if lacking else f"{type(error).__name__} ({' '.join(str(error).split())})"
        LOGGER.warning("no picture: %s; later: %s", why, later)
    else:
        return True
    return False


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
            lambda: save_curves(trainer.history, self.folder / CURVES_FILE), f"lenet-gpu plot {typed(self.folder)}"
        )


def save_curves(history: Sequence[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Draw error and accuracy of both sets and the loss against epochs.

    Args:
        history: `Run.history`; may be empty.
        path: PNG file to write.

    Raises:
        InputError: The file can't be written.
    """
    figure = _figure(11, 4)
    error, accuracy, loss = figure.subplots(1, 3)
    epochs = [record["epoch"] for record in history]
    for axes, what, scale in ((error, "error", 100), (accuracy, "accuracy", 100), (loss, "loss", 1)):
        for split, color, marker in (("train", BLUE, "o"), ("validation", GREEN, "^"), ("test", ORANGE, "s")):
            if f"{split}_{what}" not in (history[-1] if history else ("train_" + what, "test_" + what)):
                continue  # a run without such a set
            values = [scale * record[f"{split}_{what}"] for record in history]
            label = "training set" if split == "train" else f"{split} set"
            axes.plot(epochs, values, marker=marker, color=color, label=label, markersize=4)
        _tidy(axes, epochs)
    error.set(title="error", ylabel="%", yscale="log" if history else "linear")
    accuracy.set(title="accuracy", ylabel="%")
    loss.set(title="cross-entropy", yscale="log" if history else "linear")
    for axes in (error, loss):
        _plain_log_ticks(axes)
    if history:
        last = history[-1]
        error.legend(frameon=False)
        tested = f"test error {100 * last['test_error']:.2f} %, " if "test_error" in last else ""
        figure.suptitle(f"after epoch {last['epoch']}: {tested}training error {100 * last['train_error']:.2f} %")
    _save(figure, path)


def save_comparison(histories: Mapping[str, Sequence[dict[str, Any]]], path: str | os.PathLike[str]) -> None:
    """Draw the error and the loss of several runs against epochs, a color for each run.

    Solid lines are what was held out (the validation set, or else the test set), dotted ones the training set.

    Args:
        histories: `Run.history` by the run's name; none may be empty.
        path: PNG file to write.

    Raises:
        InputError: The file can't be written.
    """
    figure = _figure(11, 5)
    error, loss = figure.subplots(1, 2)
    longest: list[int] = []
    for number, (name, history) in enumerate(histories.items()):
        epochs = [record["epoch"] for record in history]
        longest = max(longest, epochs, key=len)
        color = f"C{number % 10}"
        held = next((split for split in ("validation", "test") if f"{split}_error" in history[-1]), "train")
        label = f"{name}: {100 * history[-1][f'{held}_error']:.2f} % ({'training' if held == 'train' else held})"
        for axes, what, scale in ((error, "error", 100), (loss, "loss", 1)):
            solid = [scale * record[f"{held}_{what}"] for record in history]
            axes.plot(epochs, solid, marker="o", markersize=3, color=color, label=label)
            dotted = [scale * record[f"train_{what}"] for record in history]
            axes.plot(epochs, dotted, linestyle=":", color=color)
    error.set(title="error", ylabel="%", yscale="log")
    loss.set(title="cross-entropy", yscale="log")
    for axes in (error, loss):
        _tidy(axes, longest)
        _plain_log_ticks(axes)
    error.legend(frameon=False, fontsize=8)
    figure.suptitle("solid: held out, dotted: training set")
    _save(figure, path)


def _tidy(axes: Axes, epochs: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _plain_log_ticks(axes: Axes) -> None:
    # 0.1, 0.2, 0.5, 1, 2 ... instead of powers of ten: the curves rarely span two decades.
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if axes.get_yscale() == "log":
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def save_evaluation(
    evaluation: Evaluation, images: np.ndarray, confidences: np.ndarray, path: str | os.PathLike[str]
) -> None:
    """Draw the confusion matrix and the misread digits (the paper's figure 8 for any model).

    Args:
        evaluation: How the images were read.
        images: (n, 28, 28) uint8.
        confidences: Probability of the digit read, (n,).
        path: PNG file to write.

    Raises:
        InputError: The file can't be written.
    """
    figure = _figure(13, 6.5)
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    left, right = halves
    _draw_confusion(left.subplots(), evaluation.confusion)
    misread = np.flatnonzero(evaluation.labels != evaluation.predictions)
    shown = misread[np.argsort(-confidences[misread], kind="stable")][:MISREAD_SHOWN]
    title = f"{len(misread)} of {len(images)} misread (true > read, confidence)"
    if len(misread) > len(shown):
        title += f"; the {len(shown)} most confident"
    right.suptitle(title)
    grid = right.subplots(6, 10)
    for axes in grid.flat:
        axes.axis("off")
    for axes, i in zip(grid.flat, shown, strict=False):
        axes.imshow(255 - images[i], cmap="gray", vmin=0, vmax=255)
        axes.set_title(
            f"{evaluation.labels[i]} > {evaluation.predictions[i]}\n{100 * confidences[i]:.0f} %",
            fontsize=7,
            pad=2,
        )
    _save(figure, path)


def _draw_confusion(axes: Axes, confusion: np.ndarray) -> None:
    # Shade by the share of the row, errors only: the diagonal would drown everything else.
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    off_diagonal = np.where(np.eye(len(confusion), dtype=bool), 0, shares)
    axes.imshow(off_diagonal, cmap="Oranges", vmin=0, vmax=max(0.02, float(off_diagonal.max())))
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            weight, color = ("bold", "black") if row == column else ("normal", "black")
            axes.text(column, row, count, ha="center", va="center", fontsize=8, weight=weight, color=color)
    classes = range(len(confusion))
    axes.set(xticks=classes, yticks=classes, xlabel="read", ylabel="true", title="confusion matrix")


def save_augmentation(samples: np.ndarray, title: str, path: str | os.PathLike[str]) -> None:
    """Draw training images as they are and as a recipe varies them.

    Args:
        samples: (rows, columns, 32, 32), 0..255: an image a row, the first one as it is, the others varied.
        title: What is seen.
        path: PNG file to write.

    Raises:
        InputError: The file can't be written.
    """
    rows, columns, size, _ = samples.shape
    figure = _figure(columns, rows + 0.5)
    axes = figure.subplots()
    axes.imshow(
        255 - samples.transpose(0, 2, 1, 3).reshape(rows * size, columns * size), cmap="gray", vmin=0, vmax=255
    )
    for line in range(1, rows):
        axes.axhline(line * size - 0.5, color=GREY, linewidth=0.3)
    for line in range(1, columns):
        axes.axvline(line * size - 0.5, color=BLUE if line == 1 else GREY, linewidth=1.5 if line == 1 else 0.3)
    axes.set(xticks=[], yticks=[], title=title)
    _save(figure, path)
