"""Writes the figures of results/fine_tuning*.json into docs/howto/fine_tuning.md, between markers.

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
RULES = HERE / "results" / "fine_tuning_rules.json"
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


def taken(tried: dict, places: int, lost: float) -> int:
    """Find the result that a rule takes: `finetune.fine_tune`'s rule, with other bounds.

    Args:
        tried: Counts of a fine-tuning, see fine_tuning_rules.py; the first of each is the model as it was.
        places: In how many places each check digit is read.
        lost: How many of these readings may be lost.
    """
    checks = [sum(counts) for counts in zip(*tried["checks"][:places], strict=True)]
    own, moved = tried["own"], tried["moved"]
    good = [k for k in range(1, len(own)) if own[k] > own[0] and checks[k] >= checks[0] - lost]
    kept = [min(count, tried["checks"][0][0]) for count in tried["checks"][0]]
    return max(good, key=lambda k: (own[k], kept[k], moved[k]), default=0)  # the first of equals: the boldest


def rules_table(report: dict) -> list[str]:
    rows = []
    for what, places, lost in (
        ("none of 1,000 (the rule before)", 1, 0),
        ("none of 5,000 (each in five places)", 5, 0),
        ("**5 of 5,000**", 5, 5),
        ("10 of 5,000", 5, 10),
        ("18 of 9,000 (each in nine places)", 9, 18),
        ("any number", 1, float("inf")),
    ):
        before, after, writers = [], [], []
        for tried in (each for model in report["models"].values() for each in model if each["size"] == 200):
            k = taken(tried, places, lost)
            before.append(tried["others"][0] / 5)  # of 500, in %
            after.append(tried["others"][k] / 5)
            writers.append(100 * (tried["writers"][k] - tried["writers"][0]) / report["writers_digits"])
        others = (f"{value:.1f}" for value in (mean(before), mean(after), min(after)))
        rows.append((what, *others, f"{mean(writers):+.2f}", f"{min(writers):+.2f}"))
    head = ("check digits may fall by", "hands, 200 digits: others before, %", "after, %", "the worst hand",
            "writers held out, points", "at worst")  # fmt: skip
    return table(head, rows)


TABLES = {"scratch": scratch_table, "hands": hands_table, "rules": rules_table}


def fill(page: str) -> str:
    """Write the page's tables anew, of the stored results."""
    report, rules = json.loads(RESULTS.read_text()), json.loads(RULES.read_text())
    return blocks.fill(page, {name: make(rules if name == "rules" else report) for name, make in TABLES.items()})


def main() -> None:
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
