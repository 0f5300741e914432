"""The GPU probe in a separate process, which a broken driver may take down.

A driver or a library can end the whole process (a segmentation fault) or hang while it holds Python's lock;
`lenet-gpu doctor` must still say which stage it was. The child prints each stage as one marked line of JSON
as soon as it is over, so the first stage without a line is the one that failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from lenet_gpu.backend.probe import (
    FAILED,
    OK,
    STAGES,
    ProbeResult,
    StageResult,
    cached_probe,
    complete,
    run_stages,
    stage_timeout,
)
from lenet_gpu.backend.remedies import CRASH, HANG

_MARK = "lenet-gpu-probe "  # Tells our lines from what libraries print.
_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from lenet_gpu.backend.isolated_probe import main
main()
"""
_FREE_STAGES = 2  # The first stages only read files: no need of a process where they fail.


def probe_isolated() -> ProbeResult:
    """Run `probe` so that a crash or a hang of CuPy or the driver is a failed stage as well.

    Returns:
        The result. Where no process can be started (a frozen app), it is that of `cached_probe`.
    """
    ran = list(run_stages(STAGES[:_FREE_STAGES], stage_timeout()))
    if ran[-1][0].outcome == FAILED:
        return complete(ran)
    if getattr(sys, "frozen", False) or not sys.executable:
        return cached_probe()  # The executable is the app here: starting it would not start Python.
    # -P: the child must not look for `json` in the current folder, where a file of the user's may have that name.
    command = [sys.executable, "-P", "-c", _CHILD, json.dumps([str(entry) for entry in sys.path])]
    limit = stage_timeout() * 3
    try:
        ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=limit)
    except subprocess.TimeoutExpired as expired:
        ran = _read(expired.stdout or b"")
        end, remedy = f"no answer within {limit:g} s", HANG
    except OSError:
        return cached_probe()
    else:
        ran = _read(ended.stdout)
        end, remedy = f"the process ended with status {ended.returncode}", CRASH
        if ended.returncode < 0:
            end = f"the process was ended by signal {-ended.returncode}"
    if len(ran) < len(STAGES) and (not ran or ran[-1][0].outcome == OK):
        stage, facts = STAGES[len(ran)], ran[-1][1] if ran else {}
        ran.append((StageResult(stage.key, stage.title, FAILED, end, remedy), facts))
    return complete(ran)


def _read(output: bytes) -> list[tuple[StageResult, dict[str, Any]]]:
    ran = []
    for line in output.decode(errors="replace").splitlines():
        if line.startswith(_MARK):
            result, facts = json.loads(line.removeprefix(_MARK))
            ran.append((StageResult(**result), facts))
    return ran


def main() -> None:
    """Print the stages (in the child process), then end at once, even if a thread still hangs in the driver."""
    for result, facts in run_stages(STAGES, stage_timeout()):
        # A separate line, even if a library has left half a line behind.
        print(f"\n{_MARK}{json.dumps((asdict(result), facts))}", flush=True)
    os._exit(0)
