"""``lenet-gpu sweep``: the same training with several seeds and settings, and what comes of it."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import (
    add_backend_option,
    add_command,
    add_data_options,
    device_list,
    path,
    share,
    text,
    whole_number,
)
from lenet_gpu.engine.cpu.workers.cores import MOST_WORKERS
from lenet_gpu.errors import InputError, typed
from lenet_gpu.seeds import MAX_SEED
from lenet_gpu.training.executors import KINDS
from lenet_gpu.training.recipe import MOST
from lenet_gpu.training.recipes import DEFAULT, RECIPES
from lenet_gpu.training.sweep import VARIED

EXAMPLES = """\
  lenet-gpu sweep --seeds 0-9                     ten runs of the default recipe; mean, deviation, interval
  lenet-gpu sweep --recipe classic --seeds 0-4 --vary learning_rate=0.01,0.02 --validation 0.1
  lenet-gpu sweep --seeds 0-9 --backend gpu --devices 0,1 --jobs 4
  mpiexec -n 3 python -m mpi4py.futures -m lenet_gpu sweep --seeds 0-9 --executor mpi
The same command again goes on where it was ended.
"""

MOST_RUNS = 100_000


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "train with several seeds and settings; mean, deviation and interval of the errors, and the ensemble's"
    parser = add_command(subparsers, "sweep", summary, EXAMPLES, run)
    parser.add_argument("--recipe", choices=tuple(RECIPES), default=DEFAULT, help=f"(default: {DEFAULT})")
    parser.add_argument("--seeds", type=seeds, default=[0], metavar="LIST", help="such as 0-9 or 1,2,5 (default: 0)")
    varied = f"values to try, all combinations of several such options; NAME is {', '.join(VARIED)}"
    parser.add_argument("--vary", type=variation, action="append", default=[], metavar="NAME=A,B", help=varied)
    parser.add_argument("--epochs", type=whole_number(1, MOST), metavar="N", help="passes over the training set")
    parser.add_argument("--validation", type=share, metavar="SHARE", help="share of the training set to hold out")
    patience = "end a run after so many epochs without a better one"
    parser.add_argument("--patience", type=whole_number(1, MOST), metavar="EPOCHS", help=patience)
    add_data_options(parser)
    add_backend_option(parser)
    devices = "GPUs to share the runs out to, in turn (default: the first one)"
    parser.add_argument("--devices", type=device_list, metavar="LIST", help=devices)
    jobs = "runs at a time, with --executor processes (default: as many as the cores have workers for; one a GPU)"
    parser.add_argument("--jobs", type=whole_number(1, MOST_WORKERS), metavar="N", help=jobs)
    threads = "workers of a run's CPU engine (default: 1, which is the most runs an hour)"
    parser.add_argument("--threads", type=whole_number(1, MOST_WORKERS), default=1, metavar="N", help=threads)
    executor = "who carries out the runs: processes of this machine (default), MPI's ranks, a Dask cluster"
    parser.add_argument("--executor", choices=KINDS, default=KINDS[0], help=executor)
    parser.add_argument("--scheduler", type=text, metavar="ADDRESS", help="with --executor dask: the cluster's")
    out = "folder for the runs' folders and sweep.json (default: runs/sweep-RECIPE)"
    parser.add_argument("--out", type=path, metavar="DIR", help=out)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")


def seeds(given: str) -> list[int]:
    """Parse a list of seeds: numbers and ranges A-B, both ends included."""
    found: list[int] = []
    for part in given.split(","):
        first, _, last = part.partition("-")
        if not re.fullmatch("[0-9]{1,20}(-[0-9]{1,20})?", part) or int(last or first) > MAX_SEED:
            raise argparse.ArgumentTypeError(f"found {part!r}, expected seeds such as 0-9 or 1,2,5, up to {MAX_SEED}")
        if not 0 <= int(last or first) - int(first) < MOST_RUNS:
            raise argparse.ArgumentTypeError(f"found {part!r}, expected a range of at most {MOST_RUNS:,} seeds")
        found += range(int(first), int(last or first) + 1)
    return list(dict.fromkeys(found))


def variation(given: str) -> tuple[str, list[Any]]:
    """Parse NAME=A,B: a setting and its values."""
    name, _, values = given.partition("=")
    if name not in VARIED or not values:
        raise argparse.ArgumentTypeError(f"found {given!r}, expected NAME=A,B with NAME {' or '.join(VARIED)}")
    try:
        return name, list(dict.fromkeys(VARIED[name](value) for value in values.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {values!r}, expected numbers for {name}") from None


def run(options: argparse.Namespace) -> int:
    """Sweep; see the parser for the options."""
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.report.sweep_table import summarize, table_lines
    from lenet_gpu.storage.lock import exclusive
    from lenet_gpu.training.executors import make_executor
    from lenet_gpu.training.run_folder import RUNS
    from lenet_gpu.training.sweep import ensemble_error, run_jobs, settle

    _check(options)
    source = "mnist" if options.dataset is None else options.dataset
    data = load_dataset(source, data_dir=options.data_dir, download=not options.no_download)
    folder = RUNS / f"sweep-{options.recipe}" if options.out is None else options.out
    jobs, at_once = _jobs(options, source, folder)
    settle(folder, jobs, data.digests)

    def refuse() -> None:
        raise InputError(
            folder, found="another sweep that writes to it", expected="one at a time", remedy="wait for its end"
        )

    with (
        exclusive(folder / ".sweep.lock", refuse),
        make_executor(options.executor, at_once, options.scheduler) as pool,
    ):
        results = run_jobs(pool, jobs, _Told(len(jobs), quiet=options.json))
    rows = summarize(results)
    folders = {row["name"]: [folder / job.name for job in jobs if job.settings == row["settings"]] for row in rows}
    for row in rows:
        if data.test is not None and row["runs"] > 1:
            row["ensemble_error"] = ensemble_error(folders[row["name"]], data.test.images, data.test.labels)
    if options.json:
        print(json.dumps({"runs": results, "settings": [_plain(row) for row in rows]}))
        return 0
    print("\n".join(table_lines(rows)))
    for row in rows:
        if "ensemble_error" in row:
            print(f"ensemble  lenet-gpu evaluate {' '.join(typed(run) for run in folders[row['name']])}")
    return 0


class _Told:
    """Says of each run how it has ended, and moves a bar."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._done, self._total, self._quiet = 0, total, quiet

    def __call__(self, result: dict[str, Any]) -> None:
        self._done += 1
        sets = [what for what in ("train", "validation", "test") if f"{what}_error" in result]
        errors = "  ".join(f"{what} error {100 * result[f'{what}_error']:.2f} %" for what in sets)
        line = f"{self._done}/{self._total}  {result['name']}: {result['epochs']} epochs  {errors}"
        print(line, file=sys.stderr if self._quiet else sys.stdout, flush=True)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: asdict(value) if hasattr(value, "mean") else value for key, value in row.items()}


def _check(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    names = [name for name, _ in options.vary]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is None and options.epochs is not None and "epochs" in names:
        twice = "epochs"
    if twice is not None:
        raise InputError(f"--vary {twice}", found="it twice", expected="each setting once")
    if options.devices is not None and options.device is not None:
        raise InputError("--devices", found="--device beside it", expected="one of them", remedy="leave one out")
    if options.scheduler is not None and options.executor != "dask":
        raise InputError("--scheduler", found=f"executor {options.executor}", expected="executor dask")
    if options.jobs is not None and options.executor != "processes":
        raise InputError(
            "--jobs", found=f"executor {options.executor}, which has its own number", expected="executor processes"
        )


def _jobs(options: argparse.Namespace, source: str, folder: Path) -> tuple[list[Any], int]:
    """List the runs, and how many at a time."""
    from lenet_gpu.backend.backend import select_backend
    from lenet_gpu.engine.cpu.workers.cores import available_cores
    from lenet_gpu.training.recipes import get_recipe
    from lenet_gpu.training.repeat import located
    from lenet_gpu.training.sweep import Job, combinations, name_of

    backend = select_backend(options.backend, device=options.device).name
    devices = options.devices or [options.device]
    varied = dict(options.vary)
    if options.epochs is not None:
        varied = {"epochs": [options.epochs], **varied}
    jobs: list[Any] = []
    for settings in combinations(varied):
        changes = {key: value for key, value in settings.items() if key != "recipe"}
        get_recipe(settings.get("recipe", options.recipe)).with_changes(**changes)  # refuses before anything is run
        for seed in options.seeds:
            jobs.append(
                Job(
                    folder=os.path.abspath(folder / name_of(settings, seed)),
                    seed=seed,
                    settings=settings,
                    recipe=options.recipe,
                    dataset=located(source),
                    data_dir=None if options.data_dir is None else os.path.abspath(options.data_dir.expanduser()),
                    download=not options.no_download,
                    validation=options.validation or 0.0,
                    patience=options.patience or 0,
                    backend=backend,
                    device=devices[len(jobs) % len(devices)] if backend == "gpu" else None,
                    threads=options.threads,
                )
            )
    usual = len(devices) if backend == "gpu" else max(1, available_cores() // options.threads)
    return jobs, min(len(jobs), usual if options.jobs is None else options.jobs)
