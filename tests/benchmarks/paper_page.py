"""Writes the figures of results/paper.json into docs/paper.md, between markers, and draws its pictures.

python tests/benchmarks/paper_page.py    the figures alone, from the stored results; paper.py makes everything
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import mean

import numpy as np
from accuracy_page import COLOURS, table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "paper.json"
PAGE = HERE.parents[1] / "docs" / "paper.md"
PASSES = (1, 2, 5, 10, 15, 20)

GOOD = 90
"""Accuracy in % up to which a changed digit counts as read."""


def each(values: list[float], digits: int = 2) -> str:
    """Mean, and the values of the seeds."""
    return f"{mean(values):.{digits}f} ({' '.join(f'{v:.{digits}f}' for v in values)})"


def layers_table(report: dict) -> list[str]:
    rows = []
    for row in report["layers"]:
        printed = row["printed"]
        shape = f"{row['maps']}@{row['size']}x{row['size']}"
        cells = [f"{row[key]:,} / {printed[key]:,}" for key in ("trainable", "connections")]
        rows.append((printed["name"], shape, f"{printed['maps']}@{printed['size']}x{printed['size']}", *cells))
    sums = [
        f"{sum(r[key] for r in report['layers']):,} / {sum(r['printed'][key] for r in report['layers']):,}"
        for key in ("trainable", "connections")
    ]
    head = ("layer", "maps, here", "the paper", "trainable, here / the paper", "connections, here / the paper")
    return table(head, [*rows, ("all", "", "", *sums)])


def table1_table(report: dict) -> list[str]:
    columns = report["table1"]
    rows = [(f"**{i}**", *("X" if i in fed else "" for fed in columns)) for i in range(6)]
    return table(("S2 map", *(str(k) for k in range(len(columns)))), rows)


def errors_table(report: dict) -> list[str]:
    rows = []
    for epoch in PASSES:
        if epoch <= len(report["history"][0]):
            found = [seed[epoch - 1] for seed in report["history"]]
            rows.append((epoch, *(each([seed[split] for seed in found]) for split in ("test", "train"))))
    return table(("after pass", "test error, %", "training error, %"), rows)


def result_table(report: dict) -> list[str]:
    last = [seed[-1] for seed in report["history"]]
    rows = [
        ("test error", "0.95 +- 0.1 %", f"{each([s['test'] for s in last])} %"),
        ("training error", "0.35 %", f"{each([s['train'] for s in last])} %"),
    ]
    return table(("", "the paper", "here, mean (seeds)"), rows)


def rates_table(report: dict) -> list[str]:
    rows = [(k, f"{low:.1e}", f"{high:.1e}", f"{high / low:,.0f}") for k, (low, high) in enumerate(report["rates"])]
    return table(("seed", "smallest", "largest", "ratio"), rows)


def rejection_table(report: dict) -> list[str]:
    rows = []
    for k, share in enumerate(report["rejected"]):
        rows.append((f"{share:g}", each([seed["kept_error"][k] for seed in report["rejection"]])))
    needed = each([seed["share_for_target"] for seed in report["rejection"]])
    return table(("rejected, %", "error of what is kept, %"), [*rows, (needed, "0.50 or less")])


def invariance_table(report: dict) -> list[str]:
    rows = []
    for kind, found in report["invariance"].items():
        if kind != "digits":
            points = [
                (amount, mean(values)) for amount, values in zip(found["amounts"], found["accuracy"], strict=True)
            ]
            good = [amount for amount, value in points if value >= GOOD]
            span = f"{min(good):g} to {max(good):g}" if good else "none"
            rows.append((kind, span, "; ".join(f"{amount:g}: {value:.1f}" for amount, value in points)))
    return table(("change", f"{GOOD} % or better", "amount: accuracy in %, mean of the seeds"), rows)


def nondigits_table(report: dict) -> list[str]:
    return table(
        ("drawings", "number", "AUROC, %, by the smallest penalty"),
        [(row["what"], row["n"], each(row["auroc"], 1)) for row in report["nondigits"]],
    )


def cost_table(report: dict) -> list[str]:
    rows = [(r["printed"]["name"], f"{r['multiply_adds']:,}", f"{r['units']:,}") for r in report["layers"]]
    sums = [f"{sum(r[key] for r in report['layers']):,}" for key in ("multiply_adds", "units")]
    return table(
        ("layer", "multiply-adds an image", "units"),
        [*rows, ("all", *sums), ("bytes of the parameters", f"{report['parameter_bytes']:,}", "")],
    )


TABLES = {
    "layers": layers_table,
    "table1": table1_table,
    "errors": errors_table,
    "result": result_table,
    "rates": rates_table,
    "rejection": rejection_table,
    "invariance": invariance_table,
    "nondigits": nondigits_table,
    "cost": cost_table,
}


def fill(page: str, report: dict) -> str:
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        text = "\n".join(make(report))
        page = pattern.sub(lambda match, text=text: f"{match[1]}{text}\n{match[2]}", page)
    return page


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
        for k, seed in enumerate(report["history"]):
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
    figure = figure_of(14, 3.4)
    kinds = {kind: found for kind, found in report["invariance"].items() if kind != "digits"}
    units = {"scale": "factor", "rotation": "degrees", "noise": "% of pixels inverted"}
    for axes, (kind, found) in zip(figure.subplots(1, len(kinds), sharey=True), kinds.items(), strict=True):
        values = np.array(found["accuracy"])  # (amounts, seeds)
        axes.plot(found["amounts"], values.mean(axis=1), marker=".", color=COLOURS[1])
        axes.fill_between(found["amounts"], values.min(axis=1), values.max(axis=1), color=COLOURS[1], alpha=0.25)
        axes.set(title=kind, xlabel=units.get(kind, "pixels"), ylim=(0, 101))
        plain(axes)
    figure.axes[0].set_ylabel("accuracy, %")
    save(figure, path)


if __name__ == "__main__":
    stored = json.loads(RESULTS.read_text())
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), stored), encoding="utf-8")
