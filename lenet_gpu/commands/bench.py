"""``lenet-gpu bench``: how fast this machine trains and reads digits."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from typing import Any

from lenet_gpu.commands.options import (
    add_backend_option,
    add_command,
    add_data_options,
    positive_number,
    whole_number,
)
from lenet_gpu.engine.cpu.workers.cores import MOST_WORKERS
from lenet_gpu.quiet import is_quiet

LOGGER = logging.getLogger("lenet_gpu")

EXAMPLES = """\
  lenet-gpu bench                                 every engine that runs here, in half a minute
  lenet-gpu bench --backend cpu --threads 4       the CPU alone, with at most four workers
  lenet-gpu bench --json > bench.json             for a script or a report
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "measure how fast this machine trains and reads digits"
    parser = add_command(subparsers, "bench", summary, EXAMPLES, run)
    add_backend_option(parser)
    workers = "most workers of the CPU engine (default: one a core)"
    parser.add_argument("--threads", type=whole_number(1, MOST_WORKERS), metavar="N", help=workers)
    length = "about how long all measurements together take, warming up apart (default: 18)"
    parser.add_argument("--seconds", type=positive_number, default=18.0, metavar="S", help=length)
    add_data_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run(options: argparse.Namespace) -> int:
    """Measure; see the parser for the options."""
    from tqdm import tqdm

    from lenet_gpu._version import __version__
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.errors import DataError
    from lenet_gpu.report import benchmark
    from lenet_gpu.report.made_up import made_up_dataset

    if options.dataset or options.data_dir:
        data = load_dataset(options.dataset or "mnist", data_dir=options.data_dir, download=not options.no_download)
    else:
        try:
            data = load_dataset("mnist", download=False)
        except DataError:  # the clock needs no real digits, and no download
            LOGGER.warning("MNIST is not at hand: measuring with made-up images, rings")
            data = made_up_dataset()
    with tqdm(
        desc="starting",
        leave=False,
        disable=is_quiet() or None,
        file=sys.stderr,
        bar_format="{desc} {bar} {n}/{total}",
    ) as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.total = total
            bar.set_description(what, refresh=False)
            bar.update(done - bar.n)

        report = benchmark.measure(
            data,
            backend=options.backend,
            device=options.device,
            threads=options.threads,
            seconds=options.seconds,
            progress=progress,
        )
    report = {"version": __version__, "data": data.name, **report}
    print(json.dumps(report) if options.json else benchmark.table(report))
    return 0
