"""The charts of the documentation, drawn from stored results."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import summary

from lenet_gpu.report.plots import BLUE, GREY, ORANGE

BARS = (
    ("lenet-gpu", ("cpu_plan", "plan"), BLUE),
    ("torch.compile", ("torch-compile",), ORANGE),
    ("PyTorch traced", ("torch-trace",), "#e69f00"),
    ("PyTorch eager", ("torch-eager",), "#f0c987"),
    ("ONNX Runtime", ("onnxruntime",), "#009e73"),
    ("JAX", ("jax",), "#cc79a7"),
    ("lenet-gpu, readable layers", ("layered",), GREY),
)
"""Label, implementations of which the fastest is drawn, colour. Of ours only what a user can call."""

FRONT = (("train", 32), ("infer", 10_000))
"""Workloads of the README's first picture."""


def draw(report: dict, path: Path) -> None:
    """Draw one panel a workload: the best configuration of each contender, whiskers from least to most.

    Args:
        report: What cpu.py wrote.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure

    workloads = summary.workloads(report["results"])
    columns = min(3, len(workloads))
    rows = -(-len(workloads) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.7 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes in grid:
        axes.axis("off")
    for axes, (task, size) in zip(figure.axes, workloads, strict=False):
        axes.axis("on")
        here = [r for r in report["results"] if (r["task"], r["size"]) == (task, size)]
        _panel(axes, task, size, here)
    figure.suptitle(_title(report))
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


def draw_front(report: dict, path: Path) -> None:
    """Draw the README's first picture of speed: two workloads, one over the other, small and with large letters.

    Args:
        report: What cpu.py wrote.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.0, 3.0), layout="constrained")
    for axes, (task, size) in zip(figure.subplots(len(FRONT)), FRONT, strict=True):
        _panel(axes, task, size, [r for r in report["results"] if (r["task"], r["size"]) == (task, size)])
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
    figure.suptitle(_title(report), fontsize=10)
    figure.savefig(path, format="png", dpi=160, metadata={"Software": None})


def _title(report: dict) -> str:
    return f"LeNet-5 on {report['machine']['cpu']}, {report['machine']['cores']} cores: longer is faster"


def _panel(axes, task: str, size: int, results: list[dict]) -> None:
    bars = [(label, summary.best(results, kinds), colour) for label, kinds, colour in BARS]
    bars = [(label, entry, colour) for label, entry, colour in bars if entry is not None][::-1]
    for i, (_, entry, colour) in enumerate(bars):
        rates = entry["rates"]
        middle = median(rates)
        axes.barh(i, middle, color=colour, height=0.7)
        axes.plot([min(rates), max(rates)], [i, i], color="black", linewidth=1)
        text = summary.speed_text(task, size, middle)
        axes.annotate(text, (max(rates), i), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), [label for label, _, _ in bars], fontsize=8)
    axes.set_xlim(0, 1.3 * max(max(entry["rates"]) for _, entry, _ in bars))
    axes.tick_params(axis="x", labelsize=7)
    axes.xaxis.set_major_locator(_few_ticks())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    what = f"training, batch {size}" if task == "train" else "one image" if size == 1 else f"inference of {size:,}"
    axes.set_title(f"{what} (images/s)", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _few_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)
