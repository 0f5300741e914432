"""The contenders' processes seen from the benchmark, and who else uses the machine meanwhile."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
UNWANTED_VARIABLES = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_PROC_BIND", "OMP_WAIT_POLICY", "XLA_FLAGS", "PYTHONSTARTUP",
)  # fmt: skip
"""They would change what a contender runs at."""

OURS = ("cpu_plan", "layered", "plan", "forward")


@dataclass(frozen=True)
class Spec:
    """One contender: an implementation with a layout and a number of threads (of workers, for cpu_plan)."""

    implementation: str
    layout: str
    threads: int
    trains: bool
    infers: bool

    @property
    def ours(self) -> bool:
        return self.implementation in OURS

    @property
    def name(self) -> str:
        return "/".join(part for part in (self.implementation, self.layout, str(self.threads)) if part)


def all_specs(threads: tuple[int, ...]) -> list[Spec]:
    """Every contender at every number of threads."""
    specs = [Spec("cpu_plan", "", t, True, True) for t in threads]
    specs += [Spec("layered", "", 1, True, True)]
    specs += [Spec(kind, "", 1, False, True) for kind in ("plan", "forward")]
    for t in threads:
        for layout in ("channels_last", "contiguous"):
            specs += [Spec(f"torch-{kind}", layout, t, True, True) for kind in ("compile", "eager")]
            specs.append(Spec("torch-trace", layout, t, False, True))
        specs += [Spec("jax", layout, t, True, True) for layout in ("NHWC", "NCHW")]
        for kind in ("onnxruntime", "openvino", "mnn"):
            specs += [Spec(kind, layout, t, False, True) for layout in ("pool", "depthwise")]
    return specs


def child_environment(threads: int, cache: Path | None = None) -> dict[str, str]:
    """The environment of a measured process."""
    environment = {k: v for k, v in os.environ.items() if k not in UNWANTED_VARIABLES}
    environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    environment["PYTHONPATH"] = str(ROOT)
    environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no pool of compilers stays behind
    if cache is not None:
        environment["TORCHINDUCTOR_CACHE_DIR"] = str(cache / "inductor")
    return environment


class Child:
    """A contender's process. It sleeps unless it has been asked something."""

    def __init__(self, spec: Spec, python: str, cache: Path) -> None:
        self.spec = spec
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close)
        # XLA has no other dependable knob for its threads than the cores that it may use.
        cores = sorted(os.sched_getaffinity(0))[-spec.threads :] if spec.implementation == "jax" else None
        self.process = subprocess.Popen(
            [sys.executable if spec.ours else python, str(HERE / "contender.py"),
             spec.implementation, spec.layout, str(spec.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=child_environment(1 if spec.ours else spec.threads, cache),
            start_new_session=True,  # what it starts can be told from everything else by the session
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        )  # fmt: skip

    def ask(self, do: str, **arguments) -> dict:
        """Have a command carried out; raises RuntimeError with the end of the log if it fails."""
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"process ended with status {self.process.wait()}"}
        if "error" in answer:
            self.log.seek(0)
            tail = "".join(self.log.readlines()[-15:])
            raise RuntimeError(f"{self.spec.name}: {do}: {answer['error']}\n{tail}")
        return answer

    def measure(self, do: str, **arguments) -> dict:
        """As `ask`, and who else computed: the answer has "others" (cores) besides."""
        before = cpu_seconds(self.process.pid)
        answer = self.ask(do, **arguments)
        after = cpu_seconds(self.process.pid)
        if before is not None and after is not None:
            machine, own = after[0] - before[0], after[1] - before[1]
            answer["others"] = round(max(0.0, machine - own) / answer["seconds"], 3)
            answer["own_cores"] = round(own / answer["seconds"], 3)
        return answer

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Spinner:
    """Another process that keeps one core busy, when it is let."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        self.stop()

    def start(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def cpu_seconds(session: int) -> tuple[float, float] | None:
    """CPU seconds so far of the whole machine and of one session; None where the system does not tell."""
    try:
        tick = os.sysconf("SC_CLK_TCK")
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        user, nice, system, _idle, _wait, irq, soft, steal = map(int, words)
        own = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue  # it has ended meanwhile
            if int(fields[3]) == session:
                own += int(fields[11]) + int(fields[12])
        return (user + nice + system + irq + soft + steal) / tick, own / tick
    except (OSError, ValueError, IndexError):
        return None


def machine_facts() -> dict:
    """What a figure must be read with: processor, cores, memory, system, commit."""
    from lenet_gpu.backend.backend import cpu_name

    def git(*arguments: str) -> str:
        ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return ended.stdout.strip()

    flags = ""
    if Path("/proc/cpuinfo").exists():
        flags = next((x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("flags")), "").split()
    wide = [name for name in ("avx512f", "avx2", "asimd") if name in flags]
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "vector": wide[0] if wide else "",
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "commit": git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--untracked-files=all", "lenet_gpu")),
        "load_before": round(os.getloadavg()[0], 2),
    }
