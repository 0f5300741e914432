"""The strict stand-in for CuPy with streams, CUDA graphs and kernels, to run the CUDA engine without a GPU.

Kernels are compiled for the CPU (tests/cuda_on_cpu) and really run, but only when somebody waits for their
stream: host code that reads without waiting sees old values. So do copies from and to pinned memory; those of other
host memory wait for their stream, as CUDA's do. Array code runs at once, after what is queued on the current stream.
While a graph is captured, everything but a launch is refused: allocations, transfers, waiting, array functions, and
kernels that the driver has not loaded yet. A graph holds addresses, not arrays.
"""

from __future__ import annotations

import threading
import types
import weakref
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from cuda_on_cpu import harness

from . import strict_cupy
from .strict_cupy import StrictBackend, StrictCupy

DEFAULT_SHARED_LIMIT = 48 * 1024
"""Dynamic shared memory of a block unless a kernel asks for more."""

MOST_THREADS = 1024


class CUDARuntimeError(RuntimeError):
    """cudaError_t."""


class CUDADriverError(RuntimeError):
    """CUresult."""


class OutOfMemoryError(MemoryError):
    """No room on the device."""


class CompileException(Exception):
    """NVRTC refuses the source."""


class World:
    """What the device is and does; `reset` brings back a healthy one.

    Attributes:
        shared_limit: Shared memory that a block may ask for.
        fail: Exceptions by what provokes them: "compile", "allocate", "pinned", "launch", "synchronize".
        free: Bytes of free memory that the device tells of.
        backwards: Order in which the kernels' threads run.
        counts: Kernels run by name, "graph" launches, "capture"s and "synchronize"s so far; "queued", the most
            launches that waited at a time.
    """

    def reset(self):
        self.shared_limit, self.fail, self.backwards, self.free = 64 * 1024, {}, False, 1 << 30
        self.counts = Counter()
        self.streams = weakref.WeakSet()
        self.pinned = weakref.WeakSet()
        self.threads = threading.local()
        self.streams.add(Stream.null)
        Stream.null.queue.clear()

    @property
    def current(self):
        """The current streams of this thread, the last one the innermost."""
        if not hasattr(self.threads, "current"):
            self.threads.current = [Stream.null]
        return self.threads.current

    def check(self, what):
        error = self.fail.get(what)
        if error is not None:
            raise error


world = World()

device_lock = threading.RLock()
"""Held while anything runs on the device: the kernels on the CPU have one block's memory."""


class Stream:
    """A queue of launches that run when somebody waits for them."""

    def __init__(self, null=False, non_blocking=False, ptds=False):
        self.queue, self.graph, self.non_blocking = [], None, non_blocking
        if hasattr(world, "streams"):
            world.streams.add(self)

    def __enter__(self):
        world.current.append(self)
        return self

    def __exit__(self, *_):
        world.current.pop()

    def flush(self):
        """Run what is queued."""
        with device_lock:
            while self.queue:
                self.queue.pop(0)()

    def synchronize(self):
        refuse_capture("Stream.synchronize")
        world.check("synchronize")
        world.counts["synchronize"] += 1
        self.flush()

    def record(self, event=None):
        refuse_capture("Stream.record")
        event = event or Event()
        event.stream, event.happened = self, False
        self.queue.append(event.happen)
        return event

    def wait_event(self, event):
        refuse_capture("Stream.wait_event")
        if event.stream is not None:
            self.queue.append(event.reach)

    def begin_capture(self, mode=None):
        if self is Stream.null or self.graph is not None:
            raise RuntimeError("cannot capture here")
        self.graph = Graph()
        world.counts["capture"] += 1

    def end_capture(self):
        if self.graph is None:
            raise CUDARuntimeError("cudaErrorIllegalState: no capture under way")
        graph, self.graph = self.graph, None
        return graph

    def is_capturing(self):
        return self.graph is not None


Stream.null = Stream()


class Event:
    """A mark in a stream."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.stream, self.happened = None, True

    def happen(self):
        self.happened = True

    def synchronize(self):
        refuse_capture("Event.synchronize")
        world.check("synchronize")
        world.counts["synchronize"] += 1
        self.reach()

    def reach(self):
        """Run the stream that it is recorded in up to it."""
        with device_lock:
            while not self.happened:
                self.stream.queue.pop(0)()


class Graph:
    """Launches that were captured."""

    def __init__(self):
        self.nodes = []

    def launch(self, stream=None):
        refuse_capture("Graph.launch")
        world.counts["graph"] += 1
        (stream or world.current[-1]).queue.extend(self.nodes)

    def upload(self, stream=None):
        """Nothing to do here."""


def capturing():
    return any(stream.graph is not None for stream in world.streams)


def refuse_capture(what):
    if capturing():
        raise CUDARuntimeError(f"cudaErrorStreamCaptureUnsupported: {what} while a graph is captured")


class _Listener:
    """Listens to the strict stand-in's counters: array code waits for its stream, and is refused in a capture."""

    names: ClassVar = Counter()

    def __getattr__(self, kind):
        return 0

    def __setattr__(self, kind, value):
        refuse_capture(kind)
        world.current[-1].flush()


class RawKernel:
    """A kernel; launching it queues it."""

    def __init__(self, library, name):
        self.name, self.library, self.loaded = name, library, False
        self.max_dynamic_shared_size_bytes = DEFAULT_SHARED_LIMIT

    def __setattr__(self, name, value):
        if name == "max_dynamic_shared_size_bytes" and value > world.shared_limit:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        object.__setattr__(self, name, value)

    def __call__(self, grid, block, args, *, shared_mem=0):
        world.check("launch")
        stream = world.current[-1]
        if shared_mem > self.max_dynamic_shared_size_bytes:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: more dynamic shared memory than was asked for")
        if not (all(n > 0 for n in (*grid, *block)) and np.prod(block) <= MOST_THREADS):
            raise CUDADriverError(f"CUDA_ERROR_INVALID_VALUE: grid {grid}, block {block}")
        if stream.graph is not None and not self.loaded:
            raise CUDADriverError(f"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: {self.name} must be loaded first")
        self.loaded = True
        # Addresses, as the device gets them: nothing here keeps an array alive.
        addresses = [_Address(arg) if isinstance(arg, strict_cupy.ndarray) else arg for arg in args]
        kernel = harness.Kernel(self.library, self.name, backwards=world.backwards)

        def run():
            world.counts[self.name] += 1
            arguments = [arg.array() if isinstance(arg, _Address) else arg for arg in addresses]
            kernel(grid, block, arguments, shared_mem=shared_mem)

        (stream.queue if stream.graph is None else stream.graph.nodes).append(run)
        world.counts["queued"] = max(world.counts["queued"], len(stream.queue))


class PinnedMemory(bytearray):
    """Host memory that copies read and write later, when their stream comes to them; a little more than asked for."""

    def __init__(self, size):
        super().__init__(b"\xa5" * (-(-size // 512) * 512))
        self.address = np.frombuffer(self, np.uint8).ctypes.data
        world.pinned.add(self)

    __hash__ = object.__hash__


def alloc_pinned_memory(size):
    refuse_capture("alloc_pinned_memory")
    world.check("pinned")
    return PinnedMemory(size)


class _Pinned:
    """Where a host array lies in pinned memory, which must not be given back before the copy; None elsewhere."""

    def __init__(self, memory, host):
        self.memory, self.offset = weakref.ref(memory), host.ctypes.data - memory.address
        self.shape, self.dtype, self.strides = host.shape, host.dtype, host.strides

    @classmethod
    def of(cls, host):
        start = host.ctypes.data
        for memory in list(world.pinned):
            if memory.address <= start < memory.address + len(memory):
                return cls(memory, host)
        return None

    def array(self):
        memory = self.memory()
        if memory is None:
            raise CUDARuntimeError("cudaErrorIllegalAddress: a copy runs on pinned memory that was given back")
        return np.ndarray(self.shape, self.dtype, memory, self.offset, self.strides)


def _upload(array, host, stream):
    stream, pinned = stream or world.current[-1], _Pinned.of(host)
    if pinned is None:
        stream.flush()
        strict_cupy._upload(array, host, stream)
        return
    refuse_capture("set")
    for counters in strict_cupy._listening:
        if isinstance(counters, strict_cupy.Counters):
            counters.transfers += 1
            counters.names["transfers:set"] += 1
    address = _Address(array)

    def run():
        address.array()[...] = pinned.array()

    stream.queue.append(run)


def _download(array, out, stream, blocking):
    stream, pinned = stream or world.current[-1], _Pinned.of(out)
    if blocking or pinned is None:
        stream.flush()
        strict_cupy._download(array, out, stream, blocking)
        return
    refuse_capture("get")
    address = _Address(array)

    def run():
        pinned.array()[...] = address.array()

    stream.queue.append(run)


class _Address:
    """A device array's address."""

    def __init__(self, array):
        host = array._host
        base = host
        while isinstance(base.base, np.ndarray):
            base = base.base
        self.base = weakref.ref(base)
        self.offset = host.ctypes.data - base.ctypes.data
        self.shape, self.dtype, self.strides = host.shape, host.dtype, host.strides

    def array(self):
        base = self.base()
        if base is None:
            raise CUDARuntimeError("cudaErrorIllegalAddress: a kernel runs on memory that was given back")
        flat = base.reshape(-1).view(np.uint8)
        return np.ndarray(self.shape, self.dtype, flat.data, self.offset, self.strides)


class RawModule:
    """Source to be compiled."""

    def __init__(self, *, code=None, path=None, options=(), backend="nvrtc", translate_cucomplex=False,
                 enable_cooperative_groups=False, name_expressions=None, jitify=False):  # fmt: skip
        if not isinstance(options, tuple):
            raise TypeError("options must be a tuple")
        self.code = code

    def get_function(self, name):
        world.check("compile")
        if f"\n{name}(" not in self.code and f" {name}(" not in self.code:
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return RawKernel(built(self.code), name)


def built(code):
    """The library of all kernels in the source."""
    names = [line.split("(")[0].split()[-1] for line in code.splitlines() if line.startswith("lenet5_")]
    library: Path = harness.build(code, names)
    return library


def _allocating(function):
    def allocate(*args, **kwargs):
        refuse_capture("an allocation")
        world.check("allocate")
        return function(*args, **kwargs)

    return allocate


class _Device:
    def __init__(self, number=0):
        self.id = number

    def synchronize(self):
        refuse_capture("Device.synchronize")
        world.check("synchronize")
        for stream in list(world.streams):
            stream.flush()


def _properties(device):
    return {
        "name": b"stand-in",
        "sharedMemPerBlockOptin": world.shared_limit,
        "multiProcessorCount": 3,
        "major": 8,
        "minor": 0,
    }


def _module():
    module = StrictCupy("cupy", "A strict stand-in for CuPy with kernels.")
    for name, value in vars(strict_cupy.xp).items():
        if not name.startswith("__"):
            setattr(module, name, value)
    for name in ("empty", "zeros", "ones", "full", "asarray", "array", "empty_like", "zeros_like"):
        setattr(module, name, _allocating(getattr(module, name)))
    module.RawModule = RawModule
    module.cuda = types.SimpleNamespace(
        Stream=Stream,
        Event=Event,
        Device=_Device,
        alloc_pinned_memory=alloc_pinned_memory,
        get_current_stream=lambda: world.current[-1],
        runtime=types.SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            getDevice=lambda: 0,
            getDeviceProperties=_properties,
            memGetInfo=lambda: (world.free, 2 * world.free),
        ),
        driver=types.SimpleNamespace(CUDADriverError=CUDADriverError),
        memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        compiler=types.SimpleNamespace(CompileException=CompileException),
    )
    return module


xp = _module()


@dataclass(frozen=True)
class CudaBackend(StrictBackend):
    """A GPU backend over `xp`."""

    device_name: str = "stand-in GPU"

    @property
    def xp(self):
        return xp

    def asarray(self, host, dtype=None):
        return xp.asarray(host, dtype=dtype)

    def synchronize(self):
        _Device().synchronize()


def activate():
    """Make a healthy device, whose streams array code waits for; returns what to call in the end."""
    world.reset()
    listener = _Listener()
    strict_cupy._listening.append(listener)
    strict_cupy._transfer.update(upload=_upload, download=_download)

    def deactivate():
        strict_cupy._transfer.update(upload=strict_cupy._upload, download=strict_cupy._download)
        strict_cupy._listening[:] = [other for other in strict_cupy._listening if other is not listener]
        world.reset()

    return deactivate
