"""Writes the first tables of README.md, docs/explain/accuracy.md and docs/explain/performance.md from results/*.json.

    python tests/benchmarks/front_page.py

Sentences with figures stand in figures.py; tests/report/test_front_page.py fails where a page says something else.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, median

import blocks
import summary

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
README, ACCURACY, PERFORMANCE = (
    ROOT / name for name in ("README.md", "docs/explain/accuracy.md", "docs/explain/performance.md")
)


def load(name: str) -> dict:
    """A result file."""
    return json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))


def table(head: tuple[str, ...], *rows: tuple[object, ...], words: int = 1) -> list[str]:
    """A table, figures to the right; `words` columns are words: the first one and the last ones."""
    rule = ("---", *("---:" for _ in head[words:]), *("---" for _ in range(words - 1)))
    return ["| " + " | ".join(map(str, line)) + " |" for line in (head, rule, *rows)]


def read(model: str, what: str = "accuracy") -> float:
    """Share of MNIST's test set that a model reads, in %; the mean where there are several seeds."""
    return mean(load("accuracy")["mnist"][model][what])


def rate(task: str, size: int, name: str) -> float:
    """Median rate of one of our contenders on the CPU."""
    rows = load("cpu")["results"]
    return median(next(r["rates"] for r in rows if (r["task"], r["size"], r["name"]) == (task, size, name)))


def times(task: str, size: int, ours: str) -> dict[str, float]:
    """How many times as fast as the best of each family on the CPU."""
    rows = load("cpu")["ratios"]
    return {r["family"]: r["of_medians"] for r in rows if (r["task"], r["size"], r["ours"]) == (task, size, ours)}


def gpu(batch: int, framework: str = "lenet-gpu") -> float:
    """Microseconds a training step on the GPU, of a framework's fastest variant."""
    rows = load("gpu")["results"]
    return min(r["median_us"] for r in rows if (r["batch_size"], r["framework"]) == (batch, framework))


def pooled_pictures() -> dict[str, int]:
    """Single digits in pictures with a shadow, rules, a frame ..., one nuisance or two: right ones, and all."""
    others = ("pen ", "crop", "numbers", "pages", "amounts", "dates", "times", "telephone", "colours", "crossed")
    rows = [row for name, row in load("pictures").items() if not name.startswith(others)]
    return {key: sum(row[key] for row in rows) for key in ("right", "n")}


def models() -> list[str]:
    """README's models."""
    nine = f"{read('shipped mnist'):.2f} (nine views: {read('shipped mnist', 'tta'):.2f})"
    paper = f"{100 - mean(load('paper')['test_errors']):.2f} (the paper: 99.05)"
    seconds = load("accuracy")["curves"]["fast"][-1]["seconds"]
    return table(
        ("model", "MNIST's test set, %", "for", "`lenet-gpu train`"),
        ("`fast`, the default", f"{read('fast'):.2f}", f"five epochs, {seconds:.0f} s on two cores", ""),
        ("`mnist`, shipped", nine, "MNIST", "`--recipe best`"),
        (
            "`touch`, shipped",
            f"{read('shipped touch'):.2f}",
            "what hands draw, and what is no digit",
            "`--recipe touch`",
        ),
        ("`paper`, as in 1998", paper, "RBF output, second-order rates", "`--recipe paper`"),
        words=3,
    )


RIVALS = ("PyTorch", "JAX", "ONNX Runtime")


def own(task: str, size: int, name: str) -> str:
    """One of our rates in words."""
    return summary.speed_text(task, size, rate(task, size, name)) + (" images/s" if size > 1 else "")


def cpu_row(what: str, task: str, size: int, ours: str, unit: str = "") -> tuple[str, ...]:
    """One of our rates, and how many times that of each rival it is."""
    beside = times(task, size, ours)
    return (what, own(task, size, ours), *(f"{beside[f]:.1f}{unit}" if f in beside else "" for f in RIVALS))


def speed() -> list[str]:
    """README's speeds."""
    rows = [
        cpu_row("two AVX-512 cores: training, batch 32", "train", 32, "cpu_plan/2", "×"),
        cpu_row("reading a test set", "infer", 10_000, "cpu_plan/2", "×"),
        cpu_row("reading one image", "infer", 1, "plan/1", "×"),
    ]
    for batch, where in ((32, "one NVIDIA H200: "), (1, "")):
        beside = (f"{gpu(batch, other) / gpu(batch):.1f}×" for other in RIVALS[:2])
        rows.append((f"{where}training, batch {batch}", f"{gpu(batch):.1f} µs a step", *beside, ""))
    return table(("", "here", *RIVALS), *rows)


def accuracy() -> list[str]:
    """What the shipped models read, in short."""
    report, writers, pictures, both = load("accuracy"), load("writers"), pooled_pictures(), ("mnist", "touch")

    def refused(model: str, what: str) -> float:
        return next(row["refused"] for row in report["nondigits"][model]["rows"] if row["what"] == what)

    made = 100 * pictures["right"] / pictures["n"]
    return table(
        ("%", "`mnist`", "`touch`"),
        ("MNIST's test set: read right", *(f"{read(f'shipped {m}'):.2f}" for m in both)),
        ("the same, nine views of each digit", *(f"{read(f'shipped {m}', 'tta'):.2f}" for m in both)),
        (
            "the same, of the worst tenth of its writers",
            *(f"{writers[m]['all']['worst_accuracy']:.1f}" for m in both),
        ),
        ("drawn with a stylus", *(f"{mean(report['pendigits'][f'shipped {m}']):.2f}" for m in both)),
        (f"in {pictures['n']:,} made pictures with shadows, rules, frames ...", "", f"{made:.1f}"),
        ("letters drawn by hand: refused", *(f"{refused(m, 'letters, by hand'):.1f}" for m in both)),
        (
            "MNIST's test digits: refused",
            *(f"{report['nondigits'][m]['digits']['MNIST test set']:.2f}" for m in both),
        ),
    )


def performance() -> list[str]:
    """Who is how much faster on the CPU, in short."""
    return table(
        ("", "lenet-gpu", "times PyTorch's best", "times JAX's best", "times ONNX Runtime"),
        cpu_row("training, batch 32", "train", 32, "cpu_plan/2"),
        cpu_row("training, batch 256", "train", 256, "cpu_plan/2"),
        cpu_row("reading 10,000 images", "infer", 10_000, "cpu_plan/2"),
        cpu_row("reading one image", "infer", 1, "plan/1"),
    )


PAGES = {
    README: {"models": models, "speed": speed},
    ACCURACY: {"answer": accuracy},
    PERFORMANCE: {"answer": performance},
}


def fill(page: Path) -> str:
    """The page with its first tables written anew."""
    return blocks.fill(page.read_text(encoding="utf-8"), {name: make() for name, make in PAGES[page].items()})


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(fill(each), encoding="utf-8")
