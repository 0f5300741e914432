"""From bursts to figures: medians, spreads, ratios. Plain arithmetic on plain data."""

from __future__ import annotations

from statistics import median

RIVALS = {
    "PyTorch": ("torch-compile", "torch-eager", "torch-trace"),
    "torch.compile": ("torch-compile",),
    "torch eager": ("torch-eager",),
    "torch traced": ("torch-trace",),
    "JAX": ("jax",),
    "ONNX Runtime": ("onnxruntime",),
    "OpenVINO": ("openvino",),
    "MNN": ("mnn",),
}
"""Whom we are compared with; each at its best layout and number of threads."""

OURS = ("cpu_plan", "plan", "forward", "layered")


def quartiles(values: list[float]) -> tuple[float, float]:
    """The lower and upper quartile, interpolated linearly."""
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (place - low) * (ordered[high] - ordered[low])

    return at(0.25), at(0.75)


def spread(values: list[float]) -> dict:
    """n, median, quartiles and extremes of some rates."""
    low, high = quartiles(values)
    return {
        "n": len(values), "median": median(values), "q1": low, "q3": high, "min": min(values), "max": max(values),
    }  # fmt: skip


def workloads(results: list[dict]) -> list[tuple[str, int]]:
    """(task, size) in the order of the results, each once."""
    return list(dict.fromkeys((r["task"], r["size"]) for r in results))


def best(results: list[dict], implementations: tuple[str, ...]) -> dict | None:
    """The result with the highest median among some implementations; None if there is none.

    Configurations that were dropped after a few rounds (`too_slow`) don't count.
    """
    candidates = [r for r in results if r["implementation"] in implementations and not r.get("dropped")]
    return max(candidates, key=lambda r: median(r["rates"]), default=None)


def too_slow(results: list[dict], share: float) -> list[dict]:
    """The rivals' configurations slower than a share of the best one of the same implementation."""
    found = []
    for entry in results:
        if entry["implementation"] not in OURS:
            leader = best(results, (entry["implementation"],))
            if leader is not None and median(entry["rates"]) < share * median(leader["rates"]):
                found.append(entry)
    return found


def ratio(ours: dict, rival: dict) -> dict:
    """How many times faster `ours` is: ratio of medians, and the ratios round by round."""
    paired = [a / b for a, b in zip(ours["rates"], rival["rates"], strict=True)]
    low, high = quartiles(paired)
    return {
        "of_medians": median(ours["rates"]) / median(rival["rates"]),
        "paired": {"median": median(paired), "q1": low, "q3": high, "min": min(paired), "max": max(paired)},
    }


def ratios(results: list[dict]) -> list[dict]:
    """Every one of our contenders against the best of each family, workload by workload."""
    found = []
    for task, size in workloads(results):
        here = [r for r in results if (r["task"], r["size"]) == (task, size)]
        for ours in (r for r in here if r["implementation"] in OURS):
            for family, implementations in RIVALS.items():
                rival = best(here, implementations)
                if rival is not None:
                    facts = {"task": task, "size": size, "ours": ours["name"], "family": family}
                    found.append({**facts, "rival": rival["name"], **ratio(ours, rival)})
    return found


def ratio_text(value: float) -> str:
    """A ratio as a table shows it: 12, 2.64, 0.085."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def speed_text(task: str, size: int, rate: float) -> str:
    """A rate as a table shows it: microseconds for single images, else images a second."""
    if (task, size) == ("infer", 1):
        return f"{1e6 / rate:,.0f} µs" if rate < 1e5 else f"{1e6 / rate:,.1f} µs"
    return f"{float(f'{rate:.3g}'):,.0f}"


def stamped(report: dict) -> dict:
    """A report whose results and ratios each say when and of which commit they were measured."""
    stamp = {"commit": report["machine"]["commit"], "date": report["date"]}
    return {
        **report,
        "results": [{"measured": stamp, **r} for r in report["results"]],
        "ratios": [{"measured": stamp, **r} for r in report["ratios"]],
    }


def merged(old: dict, new: dict) -> dict:
    """An older report with what a newer one has measured again.

    Every result and ratio keeps the commit and the date that it was measured with, and a ratio is only ever taken of
    what was measured in turns: one of a rival that was not measured again stays what it was.

    Raises:
        ValueError: They are of different kinds or of different machines.
    """
    for part, names in (("machine", ("cpu", "cores", "vector", "system")), ("settings", ("quick",))):
        for name in names:
            if old[part][name] != new[part][name]:
                raise ValueError(
                    f"{name}: {old[part][name]!r} in the stored results, {new[part][name]!r} measured now"
                )
    if old["kind"] != new["kind"]:
        raise ValueError(f"kind: {old['kind']!r} in the stored results, {new['kind']!r} measured now")
    old, new = stamped(old), stamped(new)
    keys = {
        "checks": ("task", "size", "name"),
        "results": ("task", "size", "name"),
        "ratios": ("task", "size", "ours", "family"),
    }
    lists = {}
    for part, names in keys.items():
        fresh = {tuple(entry[name] for name in names): entry for entry in new[part]}
        kept = [fresh.pop(tuple(entry[name] for name in names), entry) for entry in old[part]]
        # What is new stands behind the last of its workload: tables take the workloads one after another.
        for key, entry in fresh.items():
            last = max((i for i, e in enumerate(kept) if (e["task"], e["size"]) == key[:2]), default=len(kept) - 1)
            kept.insert(last + 1, entry)
        lists[part] = kept
    return {**new, "versions": old["versions"] | new["versions"], **lists}


def measured(results: list[dict]) -> list[tuple[str, str]]:
    """(commit, date) of results, each once, the first measured first; of a report that was never merged, none."""
    stamps = {(r["measured"]["date"], r["measured"]["commit"]) for r in results if "measured" in r}
    return [(commit, date) for date, commit in sorted(stamps)]
