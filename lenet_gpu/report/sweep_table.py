"""The table of a sweep: mean, deviation and interval for each setting."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lenet_gpu.training.sweep import name_of

_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""Student's t that 2.5 % lie above, for 1 to 30 degrees of freedom."""


def t_quantile(freedom: int) -> float:
    """Give Student's t that 2.5 % lie above.

    Args:
        freedom: Degrees of freedom, from 1.

    Returns:
        From a table up to 30; beyond, Cornish and Fisher's expansion about the normal distribution's.
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a figure over seeds.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation (of a sample); 0 for one value.
        low: Lower end of the 95 % interval of the mean, by Student's t; the mean for one value.
        high: Upper end.
        best: Smallest.
        worst: Largest.
    """

    mean: float
    deviation: float
    low: float
    high: float
    best: float
    worst: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute it for one value or more."""
        mean = statistics.fmean(values)
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        half = t_quantile(len(values) - 1) * deviation / len(values) ** 0.5 if len(values) > 1 else 0.0
        return cls(mean, deviation, mean - half, mean + half, min(values), max(values))


def summarize(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Gather the runs with the same settings.

    Args:
        results: What `sweep.run_job` returns for each run.

    Returns:
        For each setting, in the order of their first runs: name, settings, runs, and under the name of each kind
        of error a `Spread` of it.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        groups.setdefault(name_of(result["settings"]), []).append(result)
    rows = []
    for name, group in groups.items():
        errors = [key for key in ("train_error", "validation_error", "test_error") if key in group[0]]
        spreads = {key: Spread.of([result[key] for result in group]) for key in errors}
        rows.append({"name": name, "settings": dict(group[0]["settings"]), "runs": len(group), **spreads})
    return rows


def table_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write the table.

    Args:
        rows: Of `summarize`; an entry "ensemble_error" is the share that the mean of a row's networks misreads.

    Returns:
        Lines of equal columns, a heading first; errors in per cent.
    """
    kinds = [key for key in ("validation_error", "test_error") if key in rows[0]] or ["train_error"]
    heading = ["setting", "runs"]
    for key in kinds:
        heading += [f"{key.removesuffix('_error')} error %", "deviation", "95 % interval", "best..worst"]
    cells = [heading + (["ensemble"] if "ensemble_error" in rows[0] else [])]
    for row in rows:
        line = [row["name"], str(row["runs"])]
        for key in kinds:
            spread = row[key]
            line += [
                f"{100 * spread.mean:.3f}",
                f"{100 * spread.deviation:.3f}",
                f"{100 * spread.low:.3f}..{100 * spread.high:.3f}",
                f"{100 * spread.best:.2f}..{100 * spread.worst:.2f}",
            ]
        cells.append(line + ([f"{100 * row['ensemble_error']:.2f}"] if "ensemble_error" in row else []))
    widths = [
        max(len(line[column]) for line in cells) for column in range(len(heading) + (len(cells[0]) > len(heading)))
    ]
    return [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in cells
    ]  # fmt: skip
