"""Writes the figures of results/gpu*.json into docs/explain/gpu.md and docs/explain/gpu_ladder.md, between markers.

    python tests/benchmarks/gpu_page.py

tests/report/test_gpu_page.py fails where the page says something else than the result files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGES = tuple(HERE.parents[1] / "docs" / "explain" / name for name in ("gpu.md", "gpu_ladder.md"))
OURS = "lenet-gpu"


def load(name):
    """A result file."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(head, rows):
    """A table, its first column to the left, all others to the right."""
    lines = [head, ("---", *("---:" for _ in head[1:])), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def form_of(description):
    """The form's name, from what the engine says of itself: "cuda (cluster form: ...)"."""
    found = re.search(r"\((\w+) form", description)
    return found.group(1) if found else description


def steps(report):
    """Training steps beside each framework's fastest variant."""
    rows = []
    for row in sorted((r for r in report["results"] if r["name"] == OURS), key=lambda r: r["batch_size"]):
        cells = []
        for framework in ("PyTorch", "JAX"):
            beside = [
                r for r in report["results"] if (r["batch_size"], r["framework"]) == (row["batch_size"], framework)
            ]
            best = min(beside, key=lambda r: r["median_us"], default=None)
            times = 0 if best is None else best["median_us"] / row["median_us"]
            cells.append("" if best is None else f"{best['median_us']:.1f} us: {times:.1f} times as long")
        spread = f"{row['median_us']:.2f} ({row['min_us']:.2f} ... {row['max_us']:.2f})"
        speed = f"{row['images_per_second'] / 1e6:.2f}"
        rows.append((row["batch_size"], form_of(row["form"]), spread, speed, *cells))
    head = (
        "batch",
        "form",
        "us a step (least ... most)",
        "million images/s",
        "beside PyTorch's best",
        "beside JAX's best",
    )
    return table(head, rows)


def inference(report):
    """Images a second, on the device alone and from the host."""
    where = {"resident": "images and scores on the device", "host": "`outputs`: uint8 on the host, copies included"}
    rows = []
    for kind, meaning in where.items():
        mine = [r for r in report["inference"] if r["kind"] == kind]
        ours = next(r for r in mine if r["name"] == OURS)
        best = max(
            (r for r in mine if r["name"] != OURS and r["framework"] != OURS),
            key=lambda r: r["images_per_second"],
            default=None,
        )
        beside = "" if best is None else f"{best['images_per_second'] / 1e6:.2f} ({best['name']})"
        figure = f"{ours['images_per_second'] / 1e6:.1f} ({ours['min'] / 1e6:.1f} ... {ours['max'] / 1e6:.1f})"
        rows.append((meaning, figure, beside))
    return table(("inference", "million images/s", "fastest peer"), rows)


def recipes(*reports):
    """Whole trainings after start-up."""
    rows = []
    for report in reports:
        for name, facts in report["recipes"].items():
            runs, n = facts["runs"], len(facts["runs"])
            accuracy = [100 * run["test_accuracy"] for run in runs]
            mean = sum(accuracy) / n
            sd = (sum((a - mean) ** 2 for a in accuracy) / (n - 1)) ** 0.5 if n > 1 else None
            share = sum(a >= 99.0 for a in accuracy) / n

            def middle(key, runs=runs):
                return sorted(run[key] for run in runs)[len(runs) // 2]

            seconds = [f"{middle(key):.3f}" for key in ("training_s", "evaluation_s", "fit_s")]
            shown = f"{mean:.3f}" + (f" (sd {sd:.3f})" if sd is not None else "")
            rows.append((f"`{name}`", facts["recipe"]["epochs"], shown, f"{100 * share:.0f} %", *seconds, n))
    head = ("recipe", "epochs", "test %", "at least 99.0", "training s", "evaluations s", "whole fit s", "seeds")
    return table(head, rows)


def measured():
    """The section of measured figures."""
    report, record, paper = load("gpu"), load("gpu_record"), load("gpu_paper")
    ours = next(row for row in report["results"] if row["name"] == OURS)
    versions = ", ".join(f"{k} {report['versions'][k]}" for k in ("cupy", "torch", "jax") if k in report["versions"])
    intro = (
        f"One {report['device']}, commit {report['versions']['commit'][:10]}, {versions}; {ours['n']} bursts of each"
        " in turns, float32, the training set on the device. Losses agree over"
        f" {report['checked_steps']} steps from trained weights; PyTorch takes ten steps in a CUDA graph, JAX all of"
        " an epoch in lax.scan, both with C5 as a dense product."
    )
    return [
        intro,
        "",
        *steps(report),
        "",
        *inference(report),
        "",
        "Trainings as a whole, kernels compiled and data loaded before; medians of the seconds:",
        "",
        *recipes(record, paper),
    ]


PROFILED = (("portable", 32), ("portable", 128), ("throughput", 1024), ("cluster", 32))
"""Form and batch size of the profiles that are shown."""


def profile():
    """Where the cycles of an image go, form by form."""
    forms = load("gpu_profile")["forms"]
    lines = ["Cycles between two marks, median over the blocks, of the kernel that works on images.", ""]
    for form, batch_size in PROFILED:
        (facts,) = (f for kernel, f in forms[form]["training"][str(batch_size)].items() if "train" in kernel)
        *phases, whole = facts["phases"]
        cells = [f"{phase['name']} {phase['median']:,.0f}" for phase in phases]
        lines += [f"- **{form}, batch {batch_size}**, {whole['median']:,.0f} in all: {', '.join(cells)}."]
    return lines


def ladder():
    """The rungs from readable layers to clusters."""
    facts = load("gpu_ladder")
    rows = []
    for rung in facts["rungs"]:
        low, middle, high = rung["us"]
        rows.append((rung["name"], f"{middle:,.1f}", f"{low:,.1f} ... {high:,.1f}", rung["n"]))
    head = (f"a step at batch {facts['batch_size']}", "microseconds", "least ... most", "n")
    return [f"One {facts['device']}, commit {facts['commit'][:10]}.", "", *table(head, rows)]


def written(text):
    """A page with its sections made anew."""
    for name, lines in (("measured", measured()), ("profile", profile()), ("ladder", ladder())):
        section = "\n".join(lines).rstrip()
        text = re.sub(
            rf"<!-- {name} -->\n.*?<!-- end -->",
            lambda _, name=name, section=section: f"<!-- {name} -->\n{section}\n<!-- end -->",
            text,
            flags=re.DOTALL,
        )
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
