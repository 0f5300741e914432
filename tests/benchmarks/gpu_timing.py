"""Clocks of the GPU benchmark: bursts from an idle device to an idle device, in turns."""

from __future__ import annotations

import statistics
import time

MOST_STEPS = 20_000
"""Steps of an order at most: a batch of 1 has no epoch of 60,000 of them."""

FEWEST_STEPS = 60

FEW_IMAGES = 1_000
"""Fewer images are those of a dry run, which takes no more steps than it must."""


def unit_of(images: int, batch_size: int) -> int:
    """Steps that a contestant may run as one piece; every burst is a whole number of them."""
    if images < FEW_IMAGES:
        return 10
    return 100 if batch_size <= 128 else 20


def steps_of(images: int, batch_size: int) -> int:
    """Steps of an epoch, within bounds, as a whole number of units."""
    unit = unit_of(images, batch_size)
    if images < FEW_IMAGES:
        return unit
    steps = min(max(images // batch_size, FEWEST_STEPS), MOST_STEPS)
    return -(-steps // unit) * unit if steps < unit else steps // unit * unit


def timed(one, work) -> float:
    """Seconds from an idle device to an idle device."""
    one.synchronize()
    start = time.perf_counter()
    work()
    one.synchronize()
    return time.perf_counter() - start


def burst_of(one, steps: int, unit: int, seconds: float) -> tuple[int, int]:
    """Steps of a call and calls of a burst that takes about so many seconds; compiles and loads meanwhile.

    Args:
        one: A contestant that is prepared. One with `whole_epochs` runs all steps in a call, as its users do.
        steps: Steps of an epoch.
        unit: See `unit_of`.
        seconds: Length of a burst.
    """
    if one.whole_epochs:
        timed(one, lambda: one.train(steps))
        once = timed(one, lambda: one.train(steps))
        return steps, max(1, round(seconds / once))
    timed(one, lambda: one.train(unit))
    once = timed(one, lambda: one.train(unit)) / unit
    wanted = max(1, round(seconds / once / unit)) * unit
    if wanted <= steps:
        return wanted, 1
    return steps, max(1, round(wanted / steps))


def in_turns(works: dict, repeats: int, deadline: float, failed: dict | None = None) -> dict[str, list[float]]:
    """Time everybody in turns, so that a slow moment hits all.

    Args:
        works: By name: the contestant, what it does in a burst, and how many units that is.
        repeats: Bursts of each.
        deadline: Of time.monotonic(): after it nobody gets a second burst.
        failed: Gets the reasons of those that fail, who are left out from then on.

    Returns:
        Seconds of one unit in each burst, by name.
    """
    results: dict[str, list[float]] = {name: [] for name in works}
    failed = {} if failed is None else failed
    for _ in range(repeats):
        for name, (one, work, units) in works.items():
            if name in failed or (results[name] and time.monotonic() > deadline):
                continue
            try:
                results[name].append(timed(one, work) / units)
            except Exception as error:
                failed[name] = reason(error)
    return {name: values for name, values in results.items() if values and name not in failed}


def summary(values: list[float]) -> dict:
    """Median and spread of seconds, in microseconds."""
    low, middle, high = (f(values) for f in (min, statistics.median, max))
    return {"median_us": middle * 1e6, "min_us": low * 1e6, "max_us": high * 1e6, "n": len(values)}


def ratio(theirs: dict, ours: dict) -> dict:
    """How many times faster ours is: by the medians, and at least and at most by the spreads of both."""
    return {
        "times_faster": theirs["median_us"] / ours["median_us"],
        "at_least": theirs["min_us"] / ours["max_us"],
        "at_most": theirs["max_us"] / ours["min_us"],
        "n": [theirs["n"], ours["n"]],
    }


def reason(error: BaseException) -> str:
    """An error in one line."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:300] if text else 'no message'}"
