"""Ctrl-C and its kin at any moment: one line, status 1, nobody left. campaigns/interrupted_starts.py goes on."""

import signal
import subprocess
import sys
import time

import pytest
from campaigns.interrupted_starts import campaign, fault, interrupted_start

from lenet_gpu.interrupts import Interrupts


def test_starts_interrupted_at_random_moments_end_in_one_line(tmp_path):
    assert campaign(tmp_path, 8, seed=int(time.time())) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_ends_like_ctrl_c(tmp_path, number):
    assert fault(*interrupted_start(tmp_path / "run", 1.0, number)) == ""


def test_an_interruption_that_python_had_to_drop_comes_again():
    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)  # KeyboardInterrupt in a destructor: Python can only print it

    def drop():
        Dropping()
        time.sleep(5)

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        drop()
    assert interrupts.seen


def test_what_the_program_has_chosen_for_a_signal_stays():
    chosen = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, chosen)


def test_nohup_keeps_its_signal(tmp_path):
    """What ignores SIGHUP goes on ignoring it; what does not ends as by Ctrl-C."""
    code = (
        "import os, signal\n"
        "from lenet_gpu.interrupts import Interrupts\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with Interrupts():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    print('alive', flush=True)\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["alive", "interrupted"]
    assert done.returncode == -signal.SIGTERM  # outside, the system's default is back
