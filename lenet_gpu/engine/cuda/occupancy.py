"""Asks the driver how much of a kernel fits on the device at once.

CuPy knows the question for ordinary blocks; for thread-block clusters the driver's own library is asked.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

_CLUSTER_DIMENSION = 4
"""CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION of cuda.h."""

FIRST_WITH_CLUSTERS = (9, 0)
"""Compute capability of Hopper."""

ROOM_FOR_TWO = 112 * 1024
"""Bytes of shared memory without which the throughput form need not be compiled."""


class Attribute(ctypes.Structure):
    """CUlaunchAttribute of cuda.h: a number, and a union of 64 bytes, of which the first words are used."""

    _fields_ = (
        ("id", ctypes.c_uint),
        ("pad", ctypes.c_char * 4),
        ("words", ctypes.c_uint * 3),
        ("rest", ctypes.c_char * 52),
    )


class Config(ctypes.Structure):
    """CUlaunchConfig of cuda.h."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(Attribute)),
        ("count", ctypes.c_uint),
    )


@cache
def driver_function(name: str) -> Any:
    """Find a function of the driver's library; None where there is no driver, or one from before that function."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return getattr(ctypes.CDLL(library), name)
    except (OSError, AttributeError):
        return None


def clusters_that_fit(function: Any, cluster: int, threads: int, shared_bytes: int) -> int:
    """Return how many clusters of a kernel run on the current device at once; 0 where they can't.

    Args:
        function: CuPy's kernel, compiled for clusters of that size, its shared memory asked for.
        cluster: Blocks of a cluster.
        threads: Threads of a block.
        shared_bytes: Dynamic shared memory of a block.
    """
    ask = driver_function("cuOccupancyMaxActiveClusters")
    if ask is None:
        return 0
    attribute = Attribute(_CLUSTER_DIMENSION, b"", (ctypes.c_uint * 3)(cluster, 1, 1))
    config = Config(
        (ctypes.c_uint * 3)(cluster, 1, 1),
        (ctypes.c_uint * 3)(threads, 1, 1),
        shared_bytes,
        None,
        ctypes.pointer(attribute),
        1,
    )
    count = ctypes.c_int()
    status = ask(ctypes.byref(count), ctypes.c_void_p(function.kernel.ptr), ctypes.byref(config))
    return count.value if status == 0 else 0


def blocks_that_fit(xp: Any, function: Any, threads: int, shared_bytes: int) -> int:
    """Return how many blocks of a kernel one multiprocessor of the current device runs at once; 0 where none fits."""
    ask = xp.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor
    return int(ask(function.kernel.ptr, threads, shared_bytes))


def has_clusters(xp: Any) -> bool:
    """Tell whether the current device is one with thread-block clusters, whose kernels can be compiled for it."""
    properties = xp.cuda.runtime.getDeviceProperties(xp.cuda.runtime.getDevice())
    return (properties["major"], properties["minor"]) >= FIRST_WITH_CLUSTERS


def has_room(xp: Any) -> bool:
    """Tell whether the current device gives a block the shared memory that two images take."""
    properties = xp.cuda.runtime.getDeviceProperties(xp.cuda.runtime.getDevice())
    return int(properties["sharedMemPerBlockOptin"]) >= ROOM_FOR_TWO
