"""``python -m lenet_gpu`` and the command ``lenet-gpu``.

``python -m`` puts the current folder before all others, so that a file of the user's named json.py or numpy.py would
be taken for the module of that name. It is taken off again before anything is imported. What Python itself has
imported by then (``types`` and ``warnings``, say, while it looks for this package) is out of our reach:
the command ``lenet-gpu`` and ``python -P -m lenet_gpu`` never look into the current folder.
"""

# `signal` itself takes a while to import, in which Ctrl-C would be a traceback.
import _signal  # type: ignore[import-not-found]
import os
import sys


def _leave_current_folder() -> None:
    """Take the current folder off the search path where ``python -m`` has put it, and keep this package findable."""
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if home not in sys.path:
        sys.path.append(home)  # behind all others: a checkout that is used as it lies


if __name__ == "__main__":
    _leave_current_folder()


def end_at_once(number: int, frame: object) -> None:
    """End the process as an interrupted one, from the first moment until the command has begun.

    While modules are loaded, an exception at any place would come out as something else; and nothing has been done.

    Args:
        number: The signal.
        frame: Where it has come.
    """
    try:
        os.write(2, b"lenet-gpu: interrupted\n")
    finally:  # standard error may be closed
        os._exit(1)


def main() -> int:
    """Run the command line.

    Returns:
        Exit status: 0 done, 1 not finished (interrupted, diverged), 2 bad input.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(_signal, name, None)
        if number is not None and _signal.getsignal(number) in (_signal.SIG_DFL, _signal.default_int_handler):
            _signal.signal(number, end_at_once)
    from lenet_gpu import interrupts
    from lenet_gpu.blas_threads import take_one_blas_thread
    from lenet_gpu.errors import exhausted

    take_one_blas_thread()
    try:
        from lenet_gpu.cli import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # a second one, while the first was being dealt with
        interrupts.say(interrupts.LINE)
        return 1
    except (ImportError, MemoryError, OSError, SystemError) as error:  # modules could not be loaded
        found = exhausted(error)
        if found is None:
            raise
        interrupts.say(f"lenet-gpu: error: this machine: found {found[0]}; {found[1]}")
        return 1
    finally:
        interrupts.ignore()


if __name__ == "__main__":
    sys.exit(main())
