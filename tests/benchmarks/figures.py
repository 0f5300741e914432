"""Sentences of README and docs whose figures come from results/*.json, with the figures.

tests/report/test_front_page.py fails where a page lacks one: it names what to write after a new measurement.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from statistics import mean, median

from front_page import ROOT, gpu, load, own, rate, read, times


def words(text: str) -> str:
    """A text without its line breaks, so that a sentence is found however it is broken."""
    return " ".join(text.split())


def sentences() -> Iterator[tuple[str, str]]:
    """Pages and what they must say."""
    fast = read("fast")
    yield "README.md", f"to {fast - 0.05:.1f} % in about a minute"  # never rounded up
    yield "docs/explain/accuracy.md", f"`lenet-gpu train` reaches {fast:.2f} % of the test set in five epochs"
    yield from performance()
    yield "lenet_gpu/commands/train.py", durations()
    yield "docs/howto/deploy.md", microcontroller()
    yield "docs/explain/performance.md", f"to {load('where')['total_us']:.1f} µs."
    yield from scaling()
    yield from experiment()
    yield "docs/howto/fine_tuning.md", refusals()
    yield "docs/explain/gpu_ladder.md", f"a step takes {gpu(1):.1f} microseconds"


def performance() -> Iterator[tuple[str, str]]:
    """The prose of docs/explain/performance.md."""
    page = "docs/explain/performance.md"
    step, one, whole = (
        times("train", 32, "cpu_plan/2"),
        times("infer", 1, "plan/1"),
        times("infer", 10_000, "cpu_plan/2"),
    )
    yield (
        page,
        (
            f"at batch 32 two workers are {step['PyTorch']:.1f} times as fast as PyTorch's best configuration, "
            f"{step['torch eager']:.1f} times as fast as eager and {step['JAX']:.1f} times as fast as JAX"
        ),
    )
    left = [
        median(r["busy_rates"]) / median(r["rates"]) for r in load("busy")["results"] if r["name"] == "cpu_plan/2"
    ]
    yield page, f"{min(left):.2f} to {max(left):.2f} of the speed is left"
    (ort,) = (
        r["paired"]
        for r in load("cpu")["ratios"]
        if (r["task"], r["size"], r["ours"], r["family"]) == ("infer", 1, "plan/1", "ONNX Runtime")
    )
    yield page, f"In inference one image takes {own('infer', 1, 'plan/1')}"
    yield (
        page,
        f"({one['ONNX Runtime']:.2f} times as fast; round by round {ort['min']:.2f} to {ort['max']:.2f} times)",
    )
    yield page, floor()
    yield (
        page,
        (
            f"A whole test set is read {whole['PyTorch']:.1f} times as fast as by PyTorch traced, frozen and with "
            f"its constants folded, {whole['torch eager']:.1f} times as fast as by PyTorch eager, and "
            f"{whole['ONNX Runtime']:.1f} times as fast as by ONNX Runtime"
        ),
    )


def floor() -> str:
    """What docs/explain/performance.md says of the least time that an image needs."""
    from where import FORWARD_MACS

    flops, gflops = 2 * sum(FORWARD_MACS.values()), load("where")["floor"]["gflops_1"]
    took, worker = flops / gflops / 1e3, rate("infer", 10_000, "cpu_plan/1")
    return (
        f"One worker reads {round(worker, -3):,.0f} images/s, {1e6 / worker:.1f} µs an image. "
        f"The {flops / 1e6:.2f} MFLOP that an image needs would take {took:.1f} µs at the {gflops:.0f} GFLOP/s "
        "at which one core of this machine multiplies large matrices"
    )


def scaling() -> Iterator[tuple[str, str]]:
    """What docs/explain/scaling.md says was measured."""
    page, stored = "docs/explain/scaling.md", load("scaling")
    yield page, portions()
    took = {int(size): 1e3 * median(seconds) for size, seconds in stored["portion"].items()}
    yield page, f"an image costs {(took[128] - took[64]) / 64:.2f} ms"
    yield page, f"portions of four images cost {8 * took[4] / took[32]:.1f} times as much an image as portions of 32"
    two, *more = (sorted(1e3 * s for s in seconds) for seconds in stored["exchange"].values())
    low, high = (quantile(two, share) for share in (0.1, 0.9))
    four, eight, sixteen = (median(each) for each in more)
    yield page, f"takes {median(two):.2f} ms (median; {low:.2f} to {high:.2f}), of 4, 8 and 16 portions"
    yield page, f"of 4, 8 and 16 portions {four:.1f}, {eight:.1f} and {sixteen:.1f} ms"
    for batch, of in stored["epochs"].items():
        ratios = [ranks / workers for ranks, workers in zip(of["ranks"], of["workers"], strict=True)]
        ranks, workers = median(of["ranks"]), median(of["workers"])
        spread = f"{min(ratios):.2f}, {max(ratios):.2f}"
        yield page, f"| {batch} | {ranks:,.0f} | {workers:,.0f} | {ranks / workers:.2f} | {spread} |"
    import scaling

    for name, speeds in scaling.simulate(stored).items():
        yield page, f"| {name.replace(' | ', ', batch ')} | {' | '.join(f'{speed:g}' for speed in speeds)} |"


def refusals() -> str:
    """What docs/howto/fine_tuning.md says of drawings that are no digits."""
    hands = list(load("fine_tuning")["refusals"].values())

    def each(key: str) -> str:
        shares = [f"{hand[key]:.1f}" for hand in hands]
        return f"{', '.join(shares[:-1])} and {shares[-1]} %"

    first = {hand["digits_refused_before"] for hand in hands}
    then = [hand["digits_refused_after"] for hand in hands]
    return (
        f"`touch` refused {each('nondigits_refused_before')} (four hands, other drawings each) before it had learnt "
        f"200 digits of a synthetic hand, and {each('nondigits_refused_after')} after it; of 1,000 MNIST test digits "
        f"{first.pop():.1f} % before and {min(then):.1f} to {max(then):.1f} % after"
    )


def experiment() -> Iterator[tuple[str, str]]:
    """The prose of docs/explain/paper.md."""
    page, runs = "docs/explain/paper.md", load("paper")["runs"]
    fits = mean(history[-1]["train"] for history in runs["plain"]["history"])
    yield page, f"({fits:.2f} % of training errors against 0.35 %)"
    low, high = (f"{least(runs['plain']['seconds']):.0f}" for least in (min, max))
    yield page, f"beside another such run on the other (results/paper.json, n 3) | {low} to {high} s |"
    second, third = ([history[k]["test"] for history in runs["distorted"]["history"]] for k in (1, 2))
    yield page, f"its test error is {min(second):.1f} to {max(second):.1f} %"
    yield page, f"pass 3 has it back at {min(third):.1f} to {max(third):.1f} %"
    (found,) = load("gpu_paper")["recipes"]["paper"]["runs"]
    seconds, errors = found["training_s"], 100 * (1 - found["test_accuracy"])
    step = load("gpu")["paper_step"]["median_us"]  # alone, no epoch's beginning and end beside it
    yield (
        page,
        (
            f"took {seconds:.1f} s for the 20 passes of seed 0, {step:.1f} us a step, "
            f"and ended at {errors:.2f} % test error"
        ),
    )


def durations() -> str:
    """The seconds in the help of `train`: whole trainings on two cores and on a GPU."""
    curves = load("accuracy")["curves"]
    cpu = {name: points[-1]["seconds"] for name, points in curves.items()}
    paper = load("paper")["runs"]
    cpu["classic"], cpu["paper"] = load("startup")["classic"]["median"], median(paper["plain"]["seconds"])
    found = load("gpu_record")["recipes"] | load("gpu_paper")["recipes"]
    gpu = {name: median(run["fit_s"] for run in facts["runs"]) for name, facts in found.items()}
    minutes = median(paper["distorted"]["seconds"]) / 60
    return (
        f"classic 7 epochs {cpu['classic']:.0f} s {gpu['classic']:.1f} s best 40 epochs {cpu['best']:.0f} s "
        f"fast 5 epochs {cpu['fast']:.0f} s {gpu['fast']:.1f} s touch 40 epochs {cpu['touch']:.0f} s "
        f"record 3 epochs {gpu['record']:.1f} s paper 20 epochs {cpu['paper']:.0f} s {gpu['paper']:.0f} s "
        f"(with --distortions {minutes:.0f} minutes)"
    )


def microcontroller() -> str:
    """The rows of the table in docs/howto/deploy.md."""
    sys.path.append(str(ROOT / "tests" / "campaigns"))
    from microcontroller import table

    return table(load("microcontroller")["rows"])


def portions() -> str:
    """The first table of measured times in docs/explain/scaling.md."""
    lines = []
    for size, seconds in load("scaling")["portion"].items():
        ordered = sorted(1e3 * s for s in seconds)
        low, high = (quantile(ordered, share) for share in (0.1, 0.9))
        lines.append(f"| {size} | {median(ordered):.2f} ms | {low:.2f} to {high:.2f} |")
    return "\n".join(lines)


def quantile(ordered: list[float], share: float) -> float:
    """A quantile of ordered values, interpolated linearly."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


FIGURE = re.compile(r"[\d.,]*\d (?:%|times|µs|images/s|seconds)|\d+\.\d+(?: points)")
"""A measured figure in README: a number with the unit of one."""


def figures_outside(page: str) -> list[str]:
    """What stands in a page as a figure and is in no block that a program writes.

    Args:
        page: The text of README.md.

    Returns:
        Figures, in their order.
    """
    page = re.sub(r"<!-- begin (.+?) -->.*?<!-- end \1 -->", "", page, flags=re.S)
    page = re.sub(r"^```.*?^```$", "", page, flags=re.S | re.M)
    return FIGURE.findall(page)
