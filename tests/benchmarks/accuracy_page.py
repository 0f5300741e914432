"""Writes results/accuracy.json, pictures.json and picture_cost.json into docs/explain/accuracy.md, between markers.

python tests/benchmarks/accuracy_page.py
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import blocks

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "accuracy.json"
PICTURES = HERE / "results" / "pictures.json"  # written by tests/campaigns/pictures.py
PICTURE_COST = HERE / "results" / "picture_cost.json"  # written by picture_cost.py
COLOURS = ("#666666", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
PAGE = HERE.parents[1] / "docs" / "explain" / "accuracy.md"


def table(head: tuple[str, ...], rows: list[tuple]) -> list[str]:
    lines = [head, ("---", *("---:" for _ in head[1:])), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def figures(values: list[float]) -> str:
    """One figure, or mean and range of several seeds."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{mean(values):.2f} ({' '.join(f'{v:.2f}' for v in values)})"


def mnist_table(report: dict) -> list[str]:
    rows = []
    strokes = report["pendigits"] or {}
    for name, found in report["mnist"].items():
        rows.append(
            (
                name,
                figures(found["accuracy"]),
                figures(found["tta"]),
                f"{found['ensemble']:.2f}" if "ensemble" in found else "",
                figures(strokes[name]) if name in strokes else "",
                figures(found["calibration_error"]),
            )
        )
    head = ("model", "MNIST test set", "nine views", "together", "stylus, last third", "calibration error")
    return table(head, rows)


def off_centre_table(report: dict) -> list[str]:
    found = report["off_centre"]
    rows = []
    for k, row in enumerate(found["mnist"]["rows"]):
        cells = [f"{found[m]['rows'][k]['accuracy']:.1f}" for m in ("mnist", "touch")]
        rows.append((f"{row['canvas']}x{row['canvas']}, {row['scale']:g} times", *cells))
    centred = [f"{found[m]['centred']:.1f}" for m in ("mnist", "touch")]
    return table(("canvas and size", "mnist", "touch"), [("as they are", *centred), *rows])


def nondigits_table(report: dict) -> list[str]:
    found = report["nondigits"]
    rows = []
    for k, row in enumerate(found["touch"]["rows"]):
        other = found["mnist"]["rows"][k]
        rows.append(
            (
                row["what"],
                f"{row['auroc']:.1f}",
                f"{row['refused']:.1f}",
                f"{other['auroc']:.1f}",
                f"{other['refused']:.1f}",
            )
        )
    for name, refused in found["touch"]["digits"].items():
        rows.append((f"digits: {name}", "", f"{refused:.2f}", "", f"{found['mnist']['digits'][name]:.2f}"))
    return table(("drawings", "touch: AUROC", "refused, %", "mnist: AUROC", "refused, %"), rows)


def numbers_table(report: dict) -> list[str]:
    found = report["numbers"]
    if found is None:
        return ["*Not measured: no pendigits here.*"]
    rows = [
        (row["gaps"], f"{row['of_height'][0]:g} to {row['of_height'][1]:g}", f"{row['right']:.1f}")
        for row in found["rows"]
    ]
    return table(("gaps", "of the digits' height", "every digit right, %"), rows)


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in %."""
    z, p = 1.96, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


def pictures_table(_: dict) -> list[str]:
    rows = []
    for name, found in json.loads(PICTURES.read_text()).items():
        n, right = found["n"], found["right"]
        low, high = interval(right, n)
        others = [f"{100 * found[key] / n:.1f}" if key in found else "" for key in ("refused", "sure")]
        rows.append((name, n, f"{100 * right / n:.1f} ({low:.1f} to {high:.1f})", *others))
    return table(("pictures", "n", "right, % (95 % interval)", "refused, %", "wrong and sure, %"), rows)


def picture_cost_table(_: dict) -> list[str]:
    rows = []
    for name, found in json.loads(PICTURE_COST.read_text())["rows"].items():
        times = ("", "")
        if "ms" in found:
            middle, least, most = (f"{value:.3g}" for value in found["ms"])
            times = (f"{middle} ({least} to {most})", f"{found['processor_ms']:.3g}")
        rows.append((name, *times, f"{found['peak_mib']:.1f}", f"{found['picture_mib']:.1f}"))
    return table(("pictures", "ms (of rounds)", "processor's ms", "peak, MiB", "the picture itself, MiB"), rows)


TABLES = {
    "pictures": pictures_table,
    "picture cost": picture_cost_table,
    "mnist": mnist_table,
    "off-centre": off_centre_table,
    "nondigits": nondigits_table,
    "numbers": numbers_table,
}


def fill(page: str, report: dict) -> str:
    return blocks.fill(page, {name: make(report) for name, make in TABLES.items()})


def draw(report: dict, path: Path) -> None:
    """Test accuracy against epochs and against seconds of training."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    by_epoch, by_second = figure.subplots(1, 2, sharey=True)
    for (name, points), colour in zip(report["curves"].items(), COLOURS, strict=False):
        values = [point["accuracy"] for point in points]
        label = f"{name}: {values[-1]:.2f} %"
        by_epoch.plot(range(1, len(values) + 1), values, marker=".", color=colour, label=label)
        by_second.plot([point["seconds"] for point in points], values, marker=".", color=colour)
    by_epoch.set(xlabel="epoch", ylabel="accuracy on the MNIST test set, %", xscale="log", ylim=(97.5, 99.7))
    by_second.set(xlabel="seconds of training on two cores", xscale="log")
    by_epoch.legend(frameon=False, loc="lower right")
    for axes in (by_epoch, by_second):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_formatter("{x:g}")
    figure.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    stored = json.loads(RESULTS.read_text())
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), stored), encoding="utf-8")
    draw(stored, PAGE.parents[1] / "pictures" / "accuracy.png")
