"""Whole processes: import, cold start to the first prediction, start of training, memory, the classic recipe.

    python tests/benchmarks/startup.py --peers-python PYTHON_WITH_TORCH --out startup.json

Every figure is of a fresh process, started in turn with the others; the first turn fills the file cache and
does not count.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pool import HERE, ROOT, child_environment, machine_facts

sys.path.insert(0, str(ROOT))

import summary

IMPORTS = {
    "python": "pass",
    "import numpy": "import numpy",
    "import lenet_gpu": "import lenet_gpu",
    "from lenet_gpu import LeNet5": "from lenet_gpu import LeNet5",
    "from lenet_gpu import Recognizer": "from lenet_gpu import Recognizer",
}
PEER_IMPORTS = {"import torch": "import torch"}

COLD_START = """
import sys, time
start = float(sys.argv[1])
marks = {}
def mark(name): marks[name] = 1000 * (time.monotonic() - start)
mark("interpreter")
import numpy as np
mark("numpy")
from lenet_gpu import Recognizer
mark("import")
recognizer = Recognizer(sys.argv[2])
mark("model and plan")
image = np.zeros((28, 28), np.uint8)
image[6:22, 13:16] = 255
recognizer.predict_image(image)
mark("first prediction")
recognizer.predict_image(image)
mark("second prediction")
import json
print(json.dumps(marks))
"""
"""Milliseconds since the process was started, at each stage."""

OUR_JOB = """
import json, sys, time
from lenet_gpu import __main__
from lenet_gpu.training import progress
first = []
shown = progress.ProgressBar.on_progress
def on_progress(self, epoch, done, total, losses):
    if not first: first.append((time.monotonic(), len(losses)))
    shown(self, epoch, done, total, losses)
progress.ProgressBar.on_progress = on_progress
status = __main__.main()
print(json.dumps({"first_step": first[0][0], "steps_by_then": first[0][1]}))
sys.exit(status)
"""
"""The command `lenet-gpu train`, which notes when the first losses arrive; that is after the first step."""

PREDECESSOR_SECONDS = 15578.0
"""What the program that this one succeeds says of its own 7 epochs with their evaluations (its README)."""


class Memory(threading.Thread):
    """Watches the memory of a process and its descendants, every 20 ms."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session, self._ended = session, threading.Event()
        self.peaks = {"sum of RSS": 0.0, "sum of PSS": 0.0, "largest process": 0.0, "processes": 0}

    def run(self) -> None:
        while not self._ended.wait(0.02):
            rss, pss = [], 0.0
            for pid in processes_of(self._session):
                try:
                    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                except OSError:
                    continue
                values = {line.split(":")[0]: float(line.split()[1]) / 1024 for line in lines[1:] if ":" in line}
                rss.append(values.get("Rss", 0.0))
                pss += values.get("Pss", 0.0)
            found = (sum(rss), pss, max(rss, default=0.0), len(rss))
            self.peaks = {k: max(v, x) for (k, v), x in zip(self.peaks.items(), found, strict=True)}

    def end(self) -> dict[str, float]:
        self._ended.set()
        self.join()
        return {name: round(value, 1) for name, value in self.peaks.items()}


def processes_of(session: int) -> list[int]:
    """Process ids of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.append(int(path.parent.name))
    return found


def run(command: list[str], environment: dict[str, str], folder: Path, memory: bool = False) -> dict:
    """Run a process to its end: seconds, last line of output as JSON if it is such, peak memory in MiB."""
    start = time.monotonic()
    process = subprocess.Popen(
        [word.replace("{start}", repr(start)) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    watcher = Memory(process.pid) if memory else None
    if watcher:
        watcher.start()
    output, errors = process.communicate()
    seconds = time.monotonic() - start
    facts: dict = {"seconds": seconds}
    if watcher:
        facts["memory_mib"] = watcher.end()
    if process.returncode:
        raise RuntimeError(f"{command} ended with status {process.returncode}:\n{errors[-2000:]}")
    last = output.strip().splitlines()[-1:] or [""]
    if last[0].startswith("{"):
        facts |= json.loads(last[0])
    if facts.get("first_step"):
        facts["first_step"] -= start
    return facts


def imports(options: argparse.Namespace, folder: Path) -> dict:
    """Seconds from start to end of processes that import something and no more."""
    commands = {name: [sys.executable, "-c", code] for name, code in IMPORTS.items()}
    commands |= {name: [options.peers_python, "-c", code] for name, code in PEER_IMPORTS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    environment = child_environment(1)
    for turn in range(options.imports + 1):
        for name, command in commands.items():
            taken = run(command, environment, folder)["seconds"]
            if turn:
                seconds[name].append(taken)
    return {name: summary.spread(values) for name, values in seconds.items()}


def cold_start(options: argparse.Namespace, folder: Path) -> dict:
    """Milliseconds to each stage of a first prediction, with a model file on the disk."""
    from lenet_gpu import LeNet5

    LeNet5(seed=0).save(folder / "model.npz")
    found: dict[str, list[float]] = {}
    for turn in range(options.imports + 1):
        command = [sys.executable, "-c", COLD_START, "{start}", str(folder / "model.npz")]
        facts = run(command, child_environment(1), folder)
        del facts["seconds"]
        for name, value in facts.items():
            if turn:
                found.setdefault(name, []).append(value)
    return {name: summary.spread(values) for name, values in found.items()}


def training(options: argparse.Namespace, folder: Path) -> dict:
    """One epoch with its evaluations and files: start to first step, whole process, peak memory.

    The recipe `classic` is what the PyTorch script does; the default one distorts every image besides.
    """
    cores = str(machine_facts()["cores"])
    ours = [sys.executable, "-c", OUR_JOB, "train", "--backend", "cpu", "--epochs", "1", "--out", str(folder / "run")]
    peer = [options.peers_python, str(HERE / "torch_job.py")]
    jobs = {
        "lenet-gpu train": ([*ours, "--recipe", "classic"], child_environment(1)),
        "lenet-gpu train, default recipe (distorts)": (ours, child_environment(1)),
        "PyTorch eager": ([*peer, "eager", str(folder / "m.pt")], child_environment(int(cores))),
        "PyTorch torch.compile": (
            [*peer, "compile", str(folder / "m.pt")],
            child_environment(int(cores), folder),
        ),
    }
    jobs["PyTorch torch.compile"][1].pop("TORCHINDUCTOR_COMPILE_THREADS")  # as a user has it
    found: dict[str, list[dict]] = {name: [] for name in jobs}
    for turn in range(options.jobs + 1):
        for name, (command, environment) in jobs.items():
            shutil.rmtree(folder / "run", ignore_errors=True)
            facts = run(command, environment, folder, memory=True)
            if turn or name.endswith("compile"):  # the first compilation is what a user waits for
                found[name].append(facts)
            first = f"first step after {facts['first_step']:.2f} s"
            say(f"{name}: {facts['seconds']:.1f} s, {first}, {facts['memory_mib']}")
    return {name: job_summary(name, runs) for name, runs in found.items()}


def job_summary(name: str, runs: list[dict]) -> dict:
    """Medians of one job; for torch.compile the first run apart, since it compiles what later ones find."""
    first, rest = (runs[0], runs[1:]) if name.endswith("compile") else (None, runs)
    facts = {
        "seconds": summary.spread([r["seconds"] for r in rest]),
        "first_step": summary.spread([r["first_step"] for r in rest]),
        "memory_mib": {key: summary.spread([r["memory_mib"][key] for r in rest]) for key in rest[0]["memory_mib"]},
    }
    return facts if first is None else {**facts, "without_cache": first}


def classic(options: argparse.Namespace, folder: Path) -> dict:
    """The classic recipe, 7 epochs with 14 evaluations and all files, as whole processes."""
    seconds = []
    for i in range(options.classic):
        command = [sys.executable, "-m", "lenet_gpu", "train", "--recipe", "classic", "--backend", "cpu"]
        seconds.append(run([*command, "--out", str(folder / f"c{i}")], child_environment(1), folder)["seconds"])
        say(f"classic recipe: {seconds[-1]:.1f} s")
    facts = summary.spread(seconds)
    return {
        **facts,
        "predecessor_seconds": PREDECESSOR_SECONDS,
        "times_faster": PREDECESSOR_SECONDS / facts["median"],
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", default=sys.executable, metavar="PYTHON", help="has PyTorch installed")
    parser.add_argument("--imports", type=int, default=15, metavar="N", help="processes a start-up figure (15)")
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="runs of each training job (3)")
    parser.add_argument("--classic", type=int, default=3, metavar="N", help="runs of the classic recipe (3)")
    parser.add_argument("--only", default="imports,cold_start,training,classic", help="parts to measure")
    parser.add_argument("--quick", action="store_true", help="as few as possible: does everything work?")
    parser.add_argument("--out", type=Path, metavar="JSON", help="where the results go")
    options = parser.parse_args()
    if options.quick:
        options.imports, options.jobs, options.classic = 2, 1, 1
    report: dict = {"kind": "startup", "date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine_facts()}
    report["settings"] = {"imports": options.imports, "jobs": options.jobs, "quick": options.quick}
    with tempfile.TemporaryDirectory() as name:
        for part in (imports, cold_start, training, classic):
            if part.__name__ in options.only.split(","):
                report[part.__name__] = part(options, Path(name))
                say(f"{part.__name__}: done")
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
