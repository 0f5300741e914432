"""Run the command line, and send this very process a signal at a chosen moment: a function's n-th call, and some.

    python moments.py MOMENT SIGNAL NTH LATER ARGUMENTS...

A profiler watches the program's own calls, so nothing of it is replaced: after the NTH call that belongs to MOMENT it
counts LATER further calls and returns, wherever they are, and sends the signal then.
"""

import os
import signal
import sys

from lenet_gpu.__main__ import main


def writes(name):
    return lambda frame: frame.f_code.co_name == "write_atomically" and str(frame.f_locals["path"]).endswith(name)


def calls(*names):
    return lambda frame: frame.f_code.co_qualname in names


MOMENTS = {
    "reading the data": calls("read_idx"),
    "making the folder": calls("exclusive", "new_run", "existing_run"),
    "starting the engine": calls("make_engine"),
    "in an epoch": calls("EpochRunner.run.<locals>.progress"),
    "in an evaluation": calls("EpochRunner._evaluate.<locals>.progress"),
    "between epochs": calls("Trainer._record", "RunFolder.on_epoch", "ProgressBar.on_epoch"),
    "writing the checkpoint": writes("checkpoint.npz"),
    "writing the log": writes("log.jsonl"),
    "writing the model": writes("model.npz"),
    "after the last epoch": calls("add_extras"),
    "writing the last model": calls("RunFolder.on_end"),
    "drawing the curves": writes("curves.png"),
}
"""Which calls belong to a moment."""


def watch(moment, number, nth, later):
    belongs, left = MOMENTS[moment], [nth, later]

    def profile(frame, event, argument):
        if left[0]:
            if event == "call" and "lenet_gpu" in frame.f_code.co_filename and belongs(frame):
                left[0] -= 1
        elif left[1]:
            left[1] -= 1
        else:
            sys.setprofile(None)
            os.kill(os.getpid(), number)

    sys.setprofile(profile)


if __name__ == "__main__":
    moment, name, nth, later = sys.argv[1:5]
    for each in ("SIGTERM", "SIGHUP"):  # as in a terminal, whatever started this
        signal.signal(getattr(signal, each), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv[1:] = sys.argv[5:]
    watch(moment, getattr(signal, name), int(nth), int(later))
    sys.exit(main())
