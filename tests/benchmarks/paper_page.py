"""Writes the figures of results/paper.json into docs/explain/paper.md, between markers.

python tests/benchmarks/paper_page.py    the figures alone, from the stored results; paper.py makes everything
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import blocks
from accuracy_page import table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "paper.json"
PAGE = HERE.parents[1] / "docs" / "explain" / "paper.md"
PASSES = (1, 2, 5, 10, 15, 20)

PRINTED = {
    ("plain", "test"): "0.95 +- 0.1 %",
    ("plain", "train"): "0.35 %",
    ("distorted", "test"): "0.8 %",
    ("distorted", "train"): "-",
}
"""The paper's figures, section III.C."""

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
    rows, history = [], report["runs"]["plain"]["history"]
    for epoch in PASSES:
        if epoch <= len(history[0]):
            found = [seed[epoch - 1] for seed in history]
            rows.append((epoch, *(each([seed[split] for seed in found]) for split in ("test", "train"))))
    return table(("after pass", "test error, %", "training error, %"), rows)


def result_table(report: dict) -> list[str]:
    rows = []
    for group, what in (("plain", "without distortions"), ("distorted", "with distortions")):
        if group in report["runs"]:
            last = [seed[-1] for seed in report["runs"][group]["history"]]
            for split, name in (("test", "test error"), ("train", "training error")):
                rows.append((f"{name}, {what}", PRINTED[group, split], f"{each([s[split] for s in last])} %"))
    return table(("", "the paper", "here, mean (seeds)"), rows)


def runs_table(report: dict) -> list[str]:
    rows = []
    for found in report["runs"].values():
        last = [seed[-1] for seed in found["history"]]
        errors = [each([s[split] for s in last]) for split in ("test", "train")]
        minutes = mean(found["seconds"]) / 60
        rows.append((found["what"], f"`{found['options']}`", *errors, f"{minutes:.0f}"))
    return table(("trained on", "options", "test error, %", "training error, %", "minutes"), rows)


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
    for group, kinds in report["invariance"]["of"].items():
        for kind, found in kinds.items():
            points = [
                (amount, mean(values)) for amount, values in zip(found["amounts"], found["accuracy"], strict=True)
            ]
            good = [amount for amount, value in points if value >= GOOD]
            span = f"{min(good):g} to {max(good):g}" if good else "none"
            rows.append((kind, group, span, "; ".join(f"{amount:g}: {value:.1f}" for amount, value in points)))
    rows.sort(key=lambda row: list(report["invariance"]["of"]["plain"]).index(row[0]))
    return table(("change", "networks", f"{GOOD} % or better", "amount: accuracy in %, mean of the seeds"), rows)


def nondigits_table(report: dict) -> list[str]:
    groups = report["nondigits"]
    names = {"plain": "RBF, smallest penalty", "loss8": "RBF, loss (8)", "softmax": "softmax, 1 - largest p"}
    rows = []
    for k, row in enumerate(groups["plain"]):
        rows.append((row["what"], row["n"], *(each(found[k]["auroc"], 1) for found in groups.values())))
    means = [[mean(r["auroc"][s] for r in g) for s in range(len(g[0]["auroc"]))] for g in groups.values()]
    rows.append(("mean of all rows", "", *(each(values, 1) for values in means)))
    return table(("drawings", "number", *(names[group] for group in groups)), rows)


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
    "runs": runs_table,
    "rates": rates_table,
    "rejection": rejection_table,
    "invariance": invariance_table,
    "nondigits": nondigits_table,
    "cost": cost_table,
}


def fill(page: str, report: dict) -> str:
    return blocks.fill(page, {name: make(report) for name, make in TABLES.items()})


if __name__ == "__main__":
    stored = json.loads(RESULTS.read_text())
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), stored), encoding="utf-8")
