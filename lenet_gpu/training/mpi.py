"""MPI, where it is installed: found, or its absence said in one line."""

from __future__ import annotations

from typing import Any

from lenet_gpu.errors import InputError, exhausted

INSTALL = "pip install 'lenet-gpu[mpi]' brings mpi4py and MPICH"


def import_mpi() -> Any:
    """Import `mpi4py.MPI`, which starts MPI in this process.

    Raises:
        InputError: mpi4py or the MPI library is missing.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # mpi4py's wheel says RuntimeError: cannot load MPI library
        if exhausted(error):
            raise
        raise InputError(
            "MPI",
            found=" ".join(str(error).split()),
            expected="mpi4py, and the library libmpi",
            remedy=INSTALL,
        ) from error
    return MPI
