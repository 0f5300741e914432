"""Writes the figures of results/fine_tuning.json into docs/howto/fine_tuning.md, between markers.

python tests/benchmarks/fine_tuning_page.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import mean

import blocks
from accuracy_page import table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "fine_tuning.json"
PAGE = HERE.parents[1] / "docs" / "howto" / "fine_tuning.md"


def spread(values: list[float]) -> str:
    """Mean and range of some seeds."""
    return f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def scratch_table(report: dict) -> list[str]:
    found: dict[int, list[dict]] = {}
    for sizes in report["scratch"].values():
        for size, row in sizes.items():
            found.setdefault(int(size), []).append(row)
    rows = [
        (size, len(runs), *(spread([run[way] for run in runs]) for way in ("scratch", "touch")))
        for size, runs in sorted(found.items())
    ]
    head = ("digits a class", "seeds", "from scratch: MNIST test set, %", "from `touch`, %")
    return table(head, rows)


def hand_groups(report: dict) -> dict[str, list[list[dict]]]:
    """Sort the fine-tunings by what was taught to what: for each a list of seeds' rows, one row a hand."""
    groups = {"NIST writers, 100 digits; `fast` without them": [s["rows"] for s in report["by_writer"].values()]}
    for model, size in (("fast", 20), ("fast", 200), ("touch", 20), ("touch", 200)):
        seeds = [s[f"{model} {size}"] for s in report["hands"].values() if f"{model} {size}" in s]
        groups[f"synthetic hands, {size} digits; `{model}`"] = seeds
    return {title: seeds for title, seeds in groups.items() if seeds}


def pooled(rows: Iterable[dict], key: str) -> float:
    """Mean over digits, not over hands: writers have 20 to 30 others each."""
    rows = list(rows)
    return sum(row[key] * row["others"] for row in rows) / sum(row["others"] for row in rows)


def hands_table(report: dict) -> list[str]:
    rows = []
    for title, seeds in hand_groups(report).items():
        every = [row for seed in seeds for row in seed]
        rows.append(
            (
                title,
                len(seeds),
                *(spread([pooled(seed, f"others_{when}") for seed in seeds]) for when in ("before", "after")),
                f"{min(row['others_after'] for row in every):.1f}",
                f"{mean(row['mnist_after'] - row['mnist_before'] for row in every):+.2f}",
                f"{min(row['mnist_after'] - row['mnist_before'] for row in every):+.2f}",
                f"{mean(row['processor_seconds'] for row in every):.1f}",
            )
        )
    head = ("taught, and which model", "seeds", "their other digits before, %", "after, %", "the worst hand",
            "MNIST test set, points", "at worst", "processor seconds")  # fmt: skip
    return table(head, rows)


TABLES = {"scratch": scratch_table, "hands": hands_table}


def fill(page: str, report: dict) -> str:
    return blocks.fill(page, {name: make(report) for name, make in TABLES.items()})


def main() -> None:
    stored = json.loads(RESULTS.read_text())
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), stored), encoding="utf-8")


if __name__ == "__main__":
    main()
