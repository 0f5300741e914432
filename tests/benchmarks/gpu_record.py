"""Time to 99 % of MNIST on this machine's GPU, over many seeds; and the other recipes' times. One command:

    python tests/benchmarks/gpu_record.py --out benchmark            # --paper: its 20 passes, too

A run of another seed goes first, so kernels are compiled and the data set is read. What is timed is a new network up
to the end of `fit`, evaluations and all. benchmark/record.json gets, by recipe, the test accuracy, the training and
evaluation seconds and those of the whole fit, of every seed; it is written after each recipe.

With --dry-run everything runs in small on the CPU, to try the program itself: its numbers mean nothing.
"""

# ruff: noqa: E402  the repository must be importable before anything of it is imported

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from gpu import versions
from gpu_timing import reason

from lenet_gpu import LeNet5, Trainer, load_dataset, select_backend
from lenet_gpu.datasets import Dataset
from lenet_gpu.errors import LenetError
from lenet_gpu.training.callbacks import Callback
from lenet_gpu.training.recipe import Recipe
from lenet_gpu.training.recipes import RECIPES

GOAL = 0.99
WARM_SEED = 1_000_000
"""Seed of the run that nobody counts."""


class Moments(Callback):
    """Notes when the parts of a fit end."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def on_start(self, trainer, data) -> None:
        self.at["start"] = time.perf_counter()

    def on_epoch(self, trainer, log) -> None:
        self.at["last epoch"] = time.perf_counter()

    def on_end(self, trainer) -> None:
        self.at["end"] = time.perf_counter()


def run(recipe: Recipe, data: Dataset, backend, seed: int) -> dict:
    """Train once; seconds of the whole and of its parts."""
    moments = Moments()
    begin = time.perf_counter()
    model = LeNet5(recipe.variant, backend=backend, seed=seed)
    trainer = Trainer(model, recipe, callbacks=[moments], progress=False, download=False)
    history = trainer.fit(data).history
    backend.synchronize()
    whole = time.perf_counter() - begin
    return {
        "seed": seed,
        "test_accuracy": history[-1]["test_accuracy"],
        "train_accuracy": history[-1]["train_accuracy"],
        "training_s": sum(log["seconds"] for log in history),
        "evaluation_s": sum(log["evaluation_seconds"] for log in history),
        "fit_s": whole,
        "to_start_s": moments.at["start"] - begin,
        "epochs_s": moments.at["last epoch"] - moments.at["start"],
        "after_s": begin + whole - moments.at["last epoch"],
        "epoch_seconds": [log["seconds"] for log in history],
        "engine": trainer.engine.described(recipe.batch_size) if trainer.engine else "",
    }


def spread(values: list[float]) -> dict:
    """Mean and spread."""
    return {
        "n": len(values),
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "min": min(values),
        "median": statistics.median(values),
        "max": max(values),
    }


def summarised(rows: list[dict]) -> dict:
    """Summaries of all figures of the runs."""
    keys = ("test_accuracy", "train_accuracy", "training_s", "evaluation_s", "fit_s", "to_start_s", "after_s")
    found = {key: spread([row[key] for row in rows]) for key in keys}
    return found | {"share_at_goal": sum(row["test_accuracy"] >= GOAL for row in rows) / len(rows)}


def show(name: str, s: dict) -> None:
    """A line of the table."""
    accuracy, sd = s["test_accuracy"], s["test_accuracy"]["sd"] or 0.0
    print(
        f"{name:8} {100 * accuracy['mean']:8.3f} {100 * sd:6.3f} {accuracy['n']:4} {100 * s['share_at_goal']:6.0f} %"
        + "".join(f" {1e3 * s[k]['median']:9.1f}" for k in ("training_s", "evaluation_s", "fit_s")),
        flush=True,
    )


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmark"), help="folder for record.json")
    parser.add_argument("--seeds", type=int, default=30, help="of the recipe `record`")
    parser.add_argument("--others", type=int, default=5, help="seeds of the recipes `classic` and `fast`")
    parser.add_argument("--paper", action="store_true", help="the 20 passes of the recipe `paper`, too")
    parser.add_argument("--only", type=lambda s: s.split(","), help="recipes by name; `paper` among them counts")
    parser.add_argument("--recipe", type=Path, help="a JSON file of a recipe's fields instead of the recipe `record`")
    parser.add_argument("--minutes", type=float, default=3.0, help="begin no run after that")
    parser.add_argument("--dry-run", action="store_true", help="in small, on the CPU")
    options = parser.parse_args(argv)
    if options.dry_run:
        options.seeds, options.others = 2, 1
    return options


def main(argv=None):
    """Run; the exit status: 0, 1 if a recipe failed, 2 if there is no GPU."""
    options = arguments(argv)
    deadline = time.monotonic() + options.minutes * 60
    try:
        backend = select_backend("cpu" if options.dry_run else "gpu")
        data = load_dataset("mnist", download=False, progress=False)
    except LenetError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    if options.dry_run:
        few = slice(0, 300)
        data = replace(data, train=data.train.take(few), test=data.test.take(few))
    record = RECIPES["record"]
    if options.recipe is not None:
        from lenet_gpu.training.recipe import from_dict

        record = from_dict(json.loads(options.recipe.read_text()))
    jobs = [(record, options.seeds), (RECIPES["classic"], options.others), (RECIPES["fast"], options.others)]
    if options.paper or "paper" in (options.only or ()):
        jobs.append((RECIPES["paper"], 1))
    jobs = [(recipe, seeds) for recipe, seeds in jobs if not options.only or recipe.name in options.only]
    report = {"device": backend.device_name, "dry_run": options.dry_run, "versions": versions(), "recipes": {}}
    options.out.mkdir(parents=True, exist_ok=True)
    failed = False
    print("recipe    test %     sd    n  >= 99.0  training evaluation     fit (ms, medians)")
    for recipe, seeds in jobs:
        if options.dry_run:
            recipe = recipe.with_changes(epochs=min(recipe.epochs, 2))
        rows: list[dict] = []
        facts = report["recipes"][recipe.name] = {"recipe": recipe.as_dict(), "runs": rows}
        try:
            warm = recipe.with_changes(epochs=1) if recipe.name == "paper" else recipe
            facts["warm_up"] = run(warm, data, backend, WARM_SEED)
            for seed in range(seeds):
                if rows and time.monotonic() > deadline:
                    facts["left_out"] = f"seeds from {seed}: out of time"
                    break
                rows.append(run(recipe, data, backend, seed))
        except Exception as error:
            facts["failed"], failed = reason(error), True
            print(f"{recipe.name}: {facts['failed']}", flush=True)
        if rows:
            facts["summary"] = summarised(rows)
            show(recipe.name, facts["summary"])
        (options.out / "record.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {options.out / 'record.json'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
