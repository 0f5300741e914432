"""Launching a kernel before the one in front of it has ended, by the driver's own library: programmatic launch.

A kernel that is launched so may prepare itself (clear its shared memory, say) while the last blocks of the kernel in
front are still at work; it waits for them where its source says so (`wait_for_kernel_before` in lenet5.cuh). CuPy has
no such launch. Since compute capability 9.0.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from lenet_gpu.engine.cuda.occupancy import Attribute, Config, driver_function

_PROGRAMMATIC_SERIALIZATION = 6
"""CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION of cuda.h."""


def launch_dependent(
    function: Any, blocks: int, threads: int, arguments: tuple[Any, ...], shared_bytes: int, stream: Any
) -> bool:
    """Launch a kernel that may begin before the one in front of it in the stream has ended.

    Args:
        function: CuPy's kernel.
        blocks: Of the grid.
        threads: Of a block.
        arguments: Device arrays, np.int32 and np.float32.
        shared_bytes: Dynamic shared memory of a block.
        stream: CuPy's stream; it may be capturing.

    Returns:
        False if the driver can't: nothing was launched.
    """
    launch = driver_function("cuLaunchKernelEx")
    if launch is None:
        return False
    values = [_value(argument) for argument in arguments]
    pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
    attribute = Attribute(_PROGRAMMATIC_SERIALIZATION, b"", (ctypes.c_uint * 3)(1, 0, 0))
    config = Config(
        (ctypes.c_uint * 3)(blocks, 1, 1),
        (ctypes.c_uint * 3)(threads, 1, 1),
        shared_bytes,
        stream.ptr,
        ctypes.pointer(attribute),
        1,
    )
    status: int = launch(ctypes.byref(config), ctypes.c_void_p(function.kernel.ptr), pointers, None)
    return status == 0


def _value(argument: Any) -> Any:
    if isinstance(argument, np.int32):
        return ctypes.c_int(int(argument))
    if isinstance(argument, np.float32):
        return ctypes.c_float(float(argument))
    return ctypes.c_void_p(argument.data.ptr)
