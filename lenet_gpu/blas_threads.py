"""One BLAS thread unless the user says otherwise; to be settled before NumPy is first imported.

Products this small gain nothing from two, and lose almost everything when another process wants the same core. And
sums come out differently with another number of them.
"""

import os

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables by which the BLAS libraries are told."""


def take_one_blas_thread() -> None:
    """Set what the user has not set; without effect in a process that has loaded NumPy."""
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
