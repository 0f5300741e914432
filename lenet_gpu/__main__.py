"""``python -m lenet_gpu`` and the command ``lenet-gpu``."""

from __future__ import annotations

import os
import sys

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def main() -> int:
    """Run the command line.

    Returns:
        Exit status: 0 done, 1 not finished (interrupted, diverged), 2 bad input.
    """
    # One BLAS thread unless the user says otherwise, before NumPy is first imported: products this small gain
    # nothing from two, and lose almost everything when another process wants the same core.
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
    from lenet_gpu.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
