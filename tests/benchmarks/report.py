"""Writes stored results into docs/explain/performance.md, between markers, and draws the chart.

    python tests/benchmarks/report.py            from tests/benchmarks/results/*.json
    python tests/benchmarks/report.py --check    fails if page and results disagree

The page's figures come from here alone, so that it can't say anything else than the results.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import blocks  # noqa: E402
import summary  # noqa: E402

RESULTS = HERE / "results"
PAGE = HERE.parents[1] / "docs" / "explain" / "performance.md"
CHART = HERE.parents[1] / "docs" / "pictures" / "cpu_speed.png"
FRONT_CHART = CHART.with_name("speed.png")

NAMES = {
    "cpu_plan": "lenet-gpu, cpu_plan",
    "plan": "lenet-gpu, the Recognizer's plan, in this process",
    "forward": "lenet-gpu, LeNet5.forward",
    "layered": "lenet-gpu, layered (readable)",
    "torch-compile": "PyTorch, torch.compile of the whole step",
    "torch-eager": "PyTorch eager",
    "torch-trace": "PyTorch traced",
    "jax": "JAX, jit",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "mnn": "MNN",
}
MISSING = "*Not measured yet.*"


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def header(*cells: str) -> list[str]:
    return [row(*cells), row("---", *("---:" for _ in cells[1:]))]


def machine_line(report: dict) -> str:
    """What the figures were measured on."""
    m = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report.get("versions", {}).items()))
    changed = " with changes" if m["changed"] else ""
    stamps = summary.measured(report.get("results", [])) or [(m["commit"] + changed, report["date"])]
    commits = " and ".join(f"commit {commit}, {date}" for commit, date in stamps)
    return (
        f"{m['cpu']}, {m['cores']} cores{' with ' + m['vector'].upper() if m['vector'] else ''}, {m['system']}; "
        f"{commits}{'; ' + versions if versions else ''}."
    )


def speeds(report: dict, task: str) -> list[str]:
    """Every implementation at its best configuration: median, least to most."""
    results = [r for r in report["results"] if r["task"] == task]
    sizes = [size for _, size in summary.workloads(results)]
    title = "images/s, training" if task == "train" else "inference"
    heads = [f"batch {n}" if task == "train" else "one image" if n == 1 else f"{n:,} images/s" for n in sizes]
    lines = header(title, *heads)
    # cpu_plan keeps a line for each number of workers: one worker is what a busy machine leaves.
    kinds: list[tuple[str, int | None]] = []
    for r in results:
        kind = (r["implementation"], r["threads"] if r["implementation"] == "cpu_plan" else None)
        if kind not in kinds:
            kinds.append(kind)
    for implementation, threads in kinds:
        cells = []
        for size in sizes:
            here = [r for r in results if r["size"] == size and threads in (None, r["threads"])]
            entry = summary.best(here, (implementation,))
            cells.append("-" if entry is None else speed_cell(task, size, entry, threads is None))
        name = NAMES[implementation] + (f", {threads} worker{'s' if threads > 1 else ''}" if threads else "")
        lines.append(row(name, *cells))
    n, noise = max(len(r["rates"]) for r in results), [x for r in results for x in r["others"] if x is not None]
    others = f" Other processes used {median(noise):.2f} cores meanwhile (median)." if noise else ""
    facts = machine_line({**report, "results": results})
    lines += ["", f"Medians of {n} interleaved bursts (least to most). {facts}{others}"]
    return lines


def speed_cell(task: str, size: int, entry: dict, configuration: bool) -> str:
    """ "25,300 (24,900 to 25,600), channels_last, 2 threads"."""
    rates = entry["rates"]
    low, high = (summary.speed_text(task, size, f(rates)) for f in (min, max))
    if (task, size) == ("infer", 1):
        low, high = high, low  # microseconds: the least is the highest rate
    text = f"**{summary.speed_text(task, size, median(rates))}** ({low} to {high})"
    if configuration and entry["implementation"] not in summary.OURS:
        text += f", {entry['layout']}, {entry['threads']} thread{'s' if entry['threads'] > 1 else ''}"
    return text


def ratio_table(report: dict, task: str) -> list[str]:
    """How many times faster than the best of each family: ratio of medians, and the paired extremes."""
    found = [r for r in report["ratios"] if r["task"] == task and r["ours"] != "layered/1"]
    families = [f for f in summary.RIVALS if any(r["family"] == f for r in found)]
    lines = header("times faster than the best of", *families)
    for key in dict.fromkeys((r["size"], r["ours"]) for r in found):
        size, ours = key
        cells = []
        for family in families:
            one = next((r for r in found if (r["size"], r["ours"], r["family"]) == (size, ours, family)), None)
            cells.append("-" if one is None else ratio_cell(one))
        what = f"batch {size}" if task == "train" else "one image" if size == 1 else f"{size:,} images"
        implementation, _, threads = ours.rpartition("/")
        workers = f", {threads} worker{'s' if threads != '1' else ''}" if implementation == "cpu_plan" else ""
        lines.append(row(f"{what}: {implementation}{workers}", *cells))
    return [*lines, "", "Ratios of medians; in brackets the least and the most of the ratios round by round."]


def ratio_cell(one: dict) -> str:
    low, high = (summary.ratio_text(one["paired"][key]) for key in ("min", "max"))
    return f"**{summary.ratio_text(one['of_medians'])}** ({low} to {high})"


def busy_table(report: dict) -> list[str]:
    """Speed beside a process that keeps one core busy, relative to the own quiet speed."""
    lines = header("training", "batch", "quiet, images/s", "beside a busy core", "share that is left")
    for r in report["results"]:
        quiet, busy = median(r["rates"]), median(r["busy_rates"])
        texts = [summary.speed_text("train", r["size"], value) for value in (quiet, busy)]
        lines.append(row(r["name"], r["size"], *texts, f"**{summary.ratio_text(busy / quiet)}**"))
    n = min(len(r["rates"]) for r in report["results"])
    return [*lines, "", f"Medians of {n} pairs of bursts. {machine_line(report)}"]


def startup_table(report: dict) -> list[str]:
    """Imports, cold start, training jobs, the classic recipe."""
    lines: list[str] = []
    if "imports" in report:
        numpy = report["imports"]["import numpy"]["median"]
        lines += header("whole process", "seconds", "against `import numpy`")
        for name, facts in report["imports"].items():
            lines.append(row(f"`{name}`", f"{facts['median']:.3f}", summary.ratio_text(facts["median"] / numpy)))
        lines += ["", f"Medians of {report['imports']['import numpy']['n']} processes.", ""]
    if "cold_start" in report:
        lines += header("from a cold start", "ms since the start of the process")
        lines += [row(name, f"{facts['median']:.1f}") for name, facts in report["cold_start"].items()]
        lines.append("")
    if "training" in report:
        lines += job_table(report["training"])
    if "classic" in report:
        c = report["classic"]
        lines += [
            f"The classic recipe, 7 epochs with 14 evaluations, whole process: **{c['median']:.1f} s** "
            f"({c['min']:.1f} to {c['max']:.1f}, n {c['n']}), **{c['times_faster']:,.0f} times** faster than the "
            f"{c['predecessor_seconds']:,.0f} s of the program that this one succeeds.",
            "",
        ]
    return [*lines, machine_line(report)]


def job_table(jobs: dict) -> list[str]:
    """One epoch as a whole process, ours against PyTorch's."""
    keys = {"first step after, s": ("first_step",), "whole process, s": ("seconds",)}
    keys |= {f"peak {k}, MiB": ("memory_mib", k) for k in ("sum of RSS", "sum of PSS", "largest process")}
    lines = header("one epoch with its evaluations", *keys)
    ours = jobs["lenet-gpu train"]
    for name, facts in jobs.items():
        cells = []
        for path in keys.values():
            value, own = lookup(facts, path), lookup(ours, path)
            ratio = "" if facts is ours else f" ({summary.ratio_text(value / own)} times ours)"
            cells.append(f"{value:.2f}{ratio}" if path[0] != "memory_mib" else f"{value:.0f}{ratio}")
        lines.append(row(name, *cells))
        if "without_cache" in facts:
            first = facts["without_cache"]
            cells = [f"{first['first_step']:.1f}", f"{first['seconds']:.1f}"]
            cells += [f"{first['memory_mib'][path[1]]:.0f}" for path in list(keys.values())[2:]]
            lines.append(row(f"{name}, first time (nothing compiled yet)", *cells))
    return [
        *lines,
        "",
        "RSS counts pages that processes share once for each of them, PSS once in all. lenet-gpu's first step is "
        "noted when its losses are first reported, which is some steps later.",
        "",
    ]


def lookup(facts: dict, path: tuple[str, ...]) -> float:
    for key in path:
        facts = facts[key]
    return facts["median"]


def where_table(report: dict) -> list[str]:
    """Where the time of a training step goes, and what the arithmetic alone would take."""
    lines = header("layer", "µs an image", "share", "of it matrix products", "GFLOP/s of those")
    total = report["total_us"]
    for name, facts in report["layers"].items():
        speed = f"{facts['flops'] / facts['matmul_us'] / 1e3:.0f}" if facts["matmul_us"] else "-"
        share = f"{100 * facts['us'] / total:.0f} %"
        products = f"{100 * facts['matmul_us'] / facts['us']:.0f} %" if facts["us"] else "-"
        lines.append(row(name, f"{facts['us']:.2f}", share, products, speed))
    lines += ["", *header("kind of call", "µs an image", "share")]
    lines += [row(name, f"{us:.2f}", f"{100 * us / total:.0f} %") for name, us in report["kinds"].items()]
    floor = report["floor"]
    lines += [
        "",
        f"One worker, chunks of {report['chunk']} images, every call timed on its own; {total:.1f} µs an image "
        "in all. A call counts to the layer whose array it writes: the derivative by a layer's output to that layer.",
        "",
        f"The floor: this machine multiplies float32 matrices at {floor['gflops_1']:.0f} GFLOP/s on one core and "
        f"{floor['gflops_all']:.0f} on {floor['cores']}. A training step needs {floor['mflop_needed']:.2f} MFLOP an "
        f"image with Table I exploited; the plan's products execute {floor['mflop_executed']:.2f}. Products alone, "
        f"at that speed: at most {floor['needed_all']:,.0f} images/s for what is needed, "
        f"{floor['executed_all']:,.0f} for what is executed ({floor['cores']} cores).",
        "",
        machine_line(report),
    ]
    return lines


def narrow_table(report: dict) -> list[str]:
    """The engine on a processor without AVX-512, beside the best of each rival."""
    of = {(r["task"], r["size"], r["ours"], r["family"]): r["of_medians"] for r in report["ratios"]}
    rates = {(r["task"], r["size"], r["name"]): median(r["rates"]) for r in report["results"]}
    families = [f for f in ("PyTorch", "torch eager", "JAX", "ONNX Runtime", "OpenVINO", "MNN")
                if any(key[-1] == f for key in of)]  # fmt: skip
    lines = header("times as fast as the best of", *families)

    def add(what: str, *keys: tuple[str, int, str]) -> None:
        cells = [[summary.ratio_text(of[*key, f]) for key in keys if (*key, f) in of] for f in families]
        lines.append(row(what, *(", ".join(cell) for cell in cells)))

    for task, what in (("train", "training, batch {:,}"), ("infer", "reading {:,} images")):
        for size in dict.fromkeys(n for t, n, _ in rates if t == task and n > 1):
            key = task, size, "cpu_plan/2"
            add(f"{what.format(size)}, two workers ({summary.speed_text(*key[:2], rates[key])} images/s)", key)
    add("training, readable layers, batch 32, 256, 1024", *(("train", n, "layered/1") for n in (32, 256, 1024)))
    key = "infer", 1, "plan/1"
    add(f"reading one image, in this process ({summary.speed_text(*key[:2], rates[key])})", key)
    noise = [x for r in report["results"] for x in r["others"] if x is not None]
    rounds = sorted({len(r["rates"]) for r in report["results"] if not r.get("dropped")})
    n = " to ".join(map(str, dict.fromkeys((rounds[0], rounds[-1]))))
    return [
        *lines,
        "",
        f"Ratios of medians of {n} interleaved bursts. {machine_line(report)} "
        f"Other processes used {median(noise):.2f} cores meanwhile (median).",
    ]


BLOCKS: dict[str, tuple[str, Callable[[dict], list[str]]]] = {
    "training": ("cpu", lambda r: speeds(r, "train")),
    "training ratios": ("cpu", lambda r: ratio_table(r, "train")),
    "inference": ("cpu", lambda r: speeds(r, "infer")),
    "inference ratios": ("cpu", lambda r: ratio_table(r, "infer")),
    "busy": ("busy", busy_table),
    "startup": ("startup", startup_table),
    "where": ("where", where_table),
    "narrow": ("cpu_avx2", narrow_table),
    "chart": ("cpu", lambda r: ["![speed of each contender](../pictures/cpu_speed.png)"]),
}
"""Block of the page: the results it comes from, and how."""


def fill(page: str, reports: dict[str, dict]) -> str:
    """The page with every block between its markers written anew.

    Raises:
        ValueError: The page lacks a block's markers.
    """
    return blocks.fill(
        page,
        {
            name: build(reports[source]) if source in reports else [MISSING]
            for name, (source, build) in BLOCKS.items()
        },
    )


def stored(folder: Path = RESULTS) -> dict[str, dict]:
    """The results by kind."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if the page is out of date"
    )
    options = parser.parse_args()
    reports, old = stored(options.results), PAGE.read_text(encoding="utf-8")
    new = fill(old, reports)
    if options.check:
        return int(new != old)
    PAGE.write_text(new, encoding="utf-8")
    if "cpu" in reports:
        import chart

        CHART.parent.mkdir(exist_ok=True)
        chart.draw(reports["cpu"], CHART)
        chart.draw_front(reports["cpu"], FRONT_CHART)
    return 0


if __name__ == "__main__":
    sys.exit(main())
