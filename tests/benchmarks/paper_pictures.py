"""The pictures of docs/explain/paper.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from accuracy_page import COLOURS

LABELS = {"plain": "without distortions", "distorted": "with distortions"}


def figure_of(width: float, height: float):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})


def draw_codes(codes: np.ndarray, path: Path) -> None:
    """The ten codes as 7x12 pictures, as in figure 3."""
    figure = figure_of(9, 1.9)
    for digit, (axes, code) in enumerate(zip(figure.subplots(1, 10), codes, strict=True)):
        axes.imshow(-code.reshape(12, 7), cmap="gray", vmin=-1, vmax=1)
        axes.set(xticks=[], yticks=[], title=str(digit))
    save(figure, path)


def draw_maps(maps: dict[str, np.ndarray], path: Path) -> None:
    """The units of one input, layer by layer; black is the largest value, white the smallest."""
    figure = figure_of(10, 8)
    pictures = {
        **{name: list(maps[name]) for name in ("input", "c1", "s2", "c3", "s4")},
        "c5": [maps["c5"].reshape(4, 30)],
        "f6": [maps["f6"].reshape(12, 7)],
    }
    heights = [1.4, 1.4, 1.4, 1, 1, 0.8, 1.4]
    for part, (name, shown) in zip(
        figure.subfigures(len(pictures), 1, height_ratios=heights), pictures.items(), strict=True
    ):
        grid = np.atleast_1d(part.subplots(1, len(shown)))
        grid[0].set_ylabel(name.upper() if name != "input" else name, rotation=0, ha="right", va="center")
        for axes, values in zip(grid, shown, strict=True):
            low, high = (-0.1, 1.175) if name == "input" else (-1.7159, 1.7159)
            axes.imshow(values, cmap="gray_r", vmin=low, vmax=high)
            axes.set(xticks=[], yticks=[])
    save(figure, path)


def plain(axes) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def draw_errors(report: dict, path: Path) -> None:
    """Errors against passes, as in figure 5."""
    figure = figure_of(8, 4.5)
    axes = figure.subplots()
    for split, colour, name in (("test", COLOURS[2], "test set"), ("train", COLOURS[1], "training set")):
        for k, seed in enumerate(report["runs"]["plain"]["history"]):
            values = [record[split] for record in seed]
            label = name if k == 0 else None
            axes.plot(range(1, len(values) + 1), values, marker=".", color=colour, alpha=0.75, label=label)
    for value, colour, name in ((0.95, COLOURS[2], "the paper's end, test"), (0.35, COLOURS[1], "and training")):
        axes.axhline(value, color=colour, linestyle=":", label=name)
    axes.set(xlabel="pass over the training set", ylabel="error, %", ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    plain(axes)
    save(figure, path)


def draw_misread(images: np.ndarray, labels: np.ndarray, read: np.ndarray, path: Path) -> None:
    """All misread digits with truth and answer, as in figure 8."""
    columns, wide, high = 14, 30, 38
    rows = max(1, -(-len(images) // columns))
    sheet = np.zeros((rows * high, columns * wide), np.uint8)  # one picture: an axes a digit would take seconds
    figure = figure_of(columns * 0.72, rows * 0.9)
    axes = figure.subplots()
    for k, image in enumerate(images):
        top, left = k // columns * high, k % columns * wide
        sheet[top + 9 : top + 37, left + 1 : left + 29] = image
        text = f"{labels[k]} \N{RIGHTWARDS ARROW} {read[k]}"
        axes.text(left + wide / 2, top + 5, text, fontsize=9, ha="center", va="center")
    axes.imshow(255 - sheet, cmap="gray", vmin=0, vmax=255)
    axes.axis("off")
    save(figure, path)


def draw_rejection(report: dict, path: Path) -> None:
    """Error of what is kept against the share rejected."""
    figure = figure_of(6, 4)
    axes = figure.subplots()
    for k, (seed, colour) in enumerate(zip(report["rejection"], COLOURS[1:], strict=False)):
        axes.plot(report["rejected"], seed["kept_error"], marker=".", color=colour, label=f"seed {k}")
    axes.set(xlabel="rejected, % of the test set", ylabel="error of what is kept, %", ylim=(0, None))
    axes.legend(frameon=False)
    plain(axes)
    save(figure, path)


def draw_invariance(report: dict, path: Path) -> None:
    """Accuracy against each change: the mean of the seeds and their range."""
    figure = figure_of(14, 3.6)
    groups = report["invariance"]["of"]
    units = {"scale": "factor", "rotation": "degrees", "noise": "% of pixels inverted"}
    for axes, kind in zip(figure.subplots(1, len(groups["plain"]), sharey=True), groups["plain"], strict=True):
        for (group, kinds), colour in zip(groups.items(), COLOURS[1:], strict=False):
            found = kinds[kind]
            values = np.array(found["accuracy"])  # (amounts, seeds)
            axes.plot(found["amounts"], values.mean(axis=1), marker=".", color=colour, label=LABELS[group])
            axes.fill_between(found["amounts"], values.min(axis=1), values.max(axis=1), color=colour, alpha=0.25)
        axes.set(title=kind, xlabel=units.get(kind, "pixels"), ylim=(0, 101))
        plain(axes)
    figure.axes[0].set_ylabel("accuracy, %")
    figure.axes[0].legend(frameon=False, loc="lower center")
    save(figure, path)


def draw_sizes(report: dict, path: Path) -> None:
    """Errors against the number of training patterns, as in figure 6."""
    figure = figure_of(7, 4)
    axes = figure.subplots()
    runs = {found["patterns"]: found for found in report["runs"].values() if found["size_series"]}
    for split, colour, name in (("test", COLOURS[2], "test set"), ("train", COLOURS[1], "training set")):
        sizes = sorted(runs)
        values = [[seed[-1][split] for seed in runs[size]["history"]] for size in sizes]
        axes.plot(sizes, [np.mean(v) for v in values], marker="o", color=colour, label=name)
        for size, seeds in zip(sizes, values, strict=True):
            axes.plot([size] * len(seeds), seeds, "_", color=colour)
    axes.set(xscale="log", xlabel="training patterns", ylabel="error, %", ylim=(0, None))
    axes.set_xticks(sorted(runs), [f"{size:,}" for size in sorted(runs)])
    axes.minorticks_off()
    axes.legend(frameon=False)
    plain(axes)
    save(figure, path)
