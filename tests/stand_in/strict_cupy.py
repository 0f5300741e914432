"""A strict stand-in for CuPy: what layers and engines run against where there is no GPU.

`xp` looks like the module cupy. Its arrays hold NumPy arrays, but refuse whatever CuPy's would refuse (implicit
conversion, host arrays in operators and functions, names and arguments CuPy lacks) and a few things that CuPy
lets pass though they are slow or undefined there: host arrays as indices, duplicates in a scattered assignment.
`empty` holds rubbish, reductions give 0-d arrays, and calls, synchronisations and uploads are counted.

Differences that remain: one call may be several kernel launches on a GPU, an index out of bounds raises here
and wraps around there, and nothing is rounded as a GPU would.
"""

from __future__ import annotations

import contextlib
import inspect
import types
import weakref
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from lenet_gpu.backend.backend import Backend

from .strict_names import (
    CONSTANTS,
    DEVICE,
    DEVICES,
    FUNCTIONS,
    METHODS,
    MISSING,
    OPERAND,
    SYNCHRONISING,
    UFUNCS_1,
    UFUNCS_2,
)

# ---- counting


@dataclass
class Counters:
    """What was done on the device.

    Attributes:
        calls: Functions and operators that would launch at least one kernel (views launch none).
        syncs: Times the host waited for the device: get(), item(), float(a), if a:, a mask as an index, ...
        transfers: Uploads from host memory.
        names: The same, name by name.
    """

    calls: int = 0
    syncs: int = 0
    transfers: int = 0
    names: Counter = field(default_factory=Counter)


class DeviceSynchronized(RuntimeError):
    """The host waited for the device where that was forbidden."""


TOTAL = Counters()
_listening = [TOTAL]
_rules = {"synchronise": True, "host_indices": False}
_memory = {"used": 0}
_tracked = {}


def _count(kind, name):
    if kind == "syncs" and not _rules["synchronise"]:
        raise DeviceSynchronized(f"{name} waits for the device here")
    for counters in _listening:
        setattr(counters, kind, getattr(counters, kind) + 1)
        counters.names[f"{kind}:{name}"] += 1


@contextlib.contextmanager
def counting():
    """Count what happens inside the block: `with counting() as counters: ...`."""
    counters = Counters()
    _listening.append(counters)
    try:
        yield counters
    finally:
        _listening[:] = [other for other in _listening if other is not counters]


@contextlib.contextmanager
def _rule(name, value):
    before = _rules[name]
    _rules[name] = value
    try:
        yield
    finally:
        _rules[name] = before


def forbid_syncs():
    """Raise `DeviceSynchronized` at the very line that waits for the device inside the block."""
    return _rule("synchronise", False)


def allow_host_indices():
    """Accept lists and host arrays as indices inside the block, as CuPy does; each is an upload."""
    return _rule("host_indices", True)


# ---- arrays


def _check_dtype(dtype):
    if dtype.kind not in "biufc" or dtype.itemsize > (16 if dtype.kind == "c" else 8):
        raise ValueError(f"Unsupported dtype {dtype}")


def _track(host):
    """Count a new buffer's bytes as used for as long as anything refers to it."""
    while isinstance(host.base, np.ndarray):
        host = host.base
    key = id(host)
    if key not in _tracked:
        _memory["used"] += host.nbytes

        def release(nbytes=host.nbytes):
            _memory["used"] -= nbytes
            _tracked.pop(key, None)

        _tracked[key] = weakref.finalize(host, release)
        _tracked[key].atexit = False


def _wrap(result):
    """Device arrays for NumPy's results; NumPy's scalars become 0-d arrays, as reductions give on CuPy."""
    if isinstance(result, (tuple, list)):
        return type(result)([_wrap(part) for part in result])
    if isinstance(result, (np.ndarray, np.generic)):
        host = np.asarray(result)
        _check_dtype(host.dtype)
        _track(host)
        array = object.__new__(ndarray)
        object.__setattr__(array, "_host", host)
        return array
    return result


def _is_scalar(value):
    return isinstance(value, (bool, int, float, complex, np.number, np.bool_))


def _device(value):
    """The host array inside a device array; nothing else is one."""
    if not isinstance(value, ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value._host


def _operand(value):
    """A device array's content, or a scalar."""
    return value if _is_scalar(value) else _device(value)


def _index(index, name):
    """Turn an index into one for the host array; also tell whether it gathers and whether it holds a mask."""
    parts, gathers, masks = [], False, False
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, (list, np.ndarray, bool, np.bool_)):
            if not _rules["host_indices"]:
                raise TypeError(f"{name} with a host index ({type(part).__name__}): CuPy uploads it every time")
            _count("transfers", name)
            part = _wrap(np.array(part))
        if isinstance(part, ndarray):
            gathers, masks = True, masks or part._host.dtype.kind == "b"
            part = part._host
        parts.append(part)
    return tuple(parts), gathers, masks


class ndarray:
    """A device array: NumPy's content, CuPy's manners."""

    __slots__ = ("__weakref__", "_host")
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, shape, dtype=float, order="C"):
        object.__setattr__(self, "_host", _spoil(np.empty(shape, dtype, order)))
        _track(self._host)

    def __getattr__(self, name):
        raise AttributeError(f"{name}: not an attribute of cupy.ndarray, or not known to the strict stand-in")

    def __setattr__(self, name, value):
        raise AttributeError(f"the strict stand-in's arrays do not let {name} be set")

    # What is known without asking the device.
    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    device = property(lambda self: Device(0))
    data = property(lambda self: types.SimpleNamespace(ptr=self._host.ctypes.data))
    T = property(lambda self: _wrap(self._host.T))

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    # What reads the device, and so waits for it.
    def get(self, stream=None, order="C", out=None, blocking=True):
        if out is None:
            out = np.empty(self.shape, self.dtype)
        elif not isinstance(out, np.ndarray) or not out.flags.c_contiguous:
            raise TypeError("Only a C-contiguous numpy.ndarray can be obtained from cupy.ndarray")
        if out.dtype != self.dtype or out.shape != self.shape:
            raise ValueError("get() needs a host array of the same shape and dtype")
        _transfer["download"](self, out, stream, blocking)
        return out

    def item(self):
        _count("syncs", "item")
        return self._host.item()

    def tolist(self):
        _count("syncs", "tolist")
        return self._host.tolist()

    def tobytes(self):
        _count("syncs", "tobytes")
        return self._host.tobytes()

    def __deepcopy__(self, memo):
        return self.copy()

    def __bool__(self):
        _count("syncs", "bool")
        return bool(self._host)

    def __int__(self):
        _count("syncs", "int")
        return int(self._host)

    def __float__(self):
        _count("syncs", "float")
        return float(self._host)

    def __complex__(self):
        _count("syncs", "complex")
        return complex(self._host)

    def __repr__(self):
        _count("syncs", "repr")
        return repr(self._host)

    def __str__(self):
        _count("syncs", "str")
        return str(self._host)

    def __format__(self, spec):
        _count("syncs", "format")
        return format(self._host if self.ndim else self._host[()], spec)

    def set(self, host, stream=None):
        if not isinstance(host, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if host.dtype != self.dtype or host.shape != self.shape:
            raise ValueError("set() needs a host array of the same shape and dtype")
        _transfer["upload"](self, host, stream)

    # What keeps arrays of the two kinds apart.
    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, out=(None,), **kwargs):
        function = xp.__dict__.get(ufunc.__name__)
        if method != "__call__" or function is None:
            return NotImplemented
        return function(*inputs, out=out[0], **kwargs)

    def __array_function__(self, function, _, args, kwargs):
        mine = xp.__dict__.get(function.__name__)
        return NotImplemented if mine is None else mine(*args, **kwargs)

    # Indexing.
    def __getitem__(self, index):
        index, gathers, masks = _index(index, "getitem")
        if masks:
            _count("syncs", "mask")
        result = self._host[index]
        if gathers:
            _count("calls", "getitem")
            return _wrap(result)
        # A full basic index gives a scalar on the host; on the device it stays a 0-d view.
        return _wrap(self._host[(*index, ...)] if isinstance(result, np.generic) else result)

    def __setitem__(self, index, value):
        index, gathers, masks = _index(index, "setitem")
        content = _operand(value)
        if masks:
            _count("syncs", "mask")
        if gathers and _is_scalar(value):
            _count("transfers", "setitem")  # CuPy makes an array of the scalar first.
        if gathers and not _is_scalar(value):
            self._refuse_duplicates(index)
        if not gathers and not _is_scalar(value) and _same_place(self._host[index], content):
            return  # The second half of a[i] += b: the sum is there already.
        _count("calls", "setitem")
        with np.errstate(all="ignore"):
            self._host[index] = content

    def _refuse_duplicates(self, index):
        places = np.arange(self.size).reshape(self.shape)[index]
        if np.unique(places).size != places.size:
            raise ValueError("an index names a place twice: which value stays is undefined on a GPU")


def _upload(array, host, stream):
    _count("transfers", "set")
    array._host[...] = host


def _download(array, out, stream, blocking):
    _count("syncs", "get")
    out[...] = array._host


_transfer = {"upload": _upload, "download": _download}
"""How set() and get() copy: at once, unless there are streams (cuda_cupy.py)."""


def _same_place(one, other):
    def place(host):
        return host.__array_interface__["data"], host.shape, host.strides, host.dtype

    return isinstance(one, np.ndarray) and place(one) == place(other)


class Device:
    """A device, of which there is one."""

    def __init__(self, number=0):
        self.id = number

    def synchronize(self):
        _count("syncs", "Device.synchronize")

    def use(self):
        """Nothing to switch to."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Stream:
    """A stream that runs everything at once."""

    ptr = 0

    def __init__(self, null=False, non_blocking=False, ptds=False):
        pass

    def synchronize(self):
        _count("syncs", "Stream.synchronize")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


Stream.null = Stream()


# ---- functions


def _spoil(host):
    """Fill an array nobody has written to yet: what is read from it is wrong, and visibly so."""
    _check_dtype(host.dtype)
    host.fill(np.nan if host.dtype.kind in "fc" else np.iinfo(host.dtype).max if host.dtype.kind in "iu" else 1)
    return host


def _convert(name, role, value):
    if role in ("out", "where", "weights"):
        return None if value is None else _device(value)
    if role == "indices":
        if _rules["host_indices"] and isinstance(value, (list, np.ndarray)):
            _count("transfers", name)
            return np.array(value)
        return value if isinstance(value, (int, np.integer)) else _device(value)
    if role in DEVICE and (name, role) != ("where", "x"):
        return _device(value)
    if role in OPERAND or name == "where":
        return None if value is None else _operand(value)
    if role in DEVICES:
        return [_device(part) for part in value]
    return value


def _finish(name, result, inputs):
    """Count the call, unless the result is a view, and put the result on the device."""
    first = result[0] if isinstance(result, (list, tuple)) and result else result
    view = isinstance(first, np.ndarray) and any(np.may_share_memory(first, x) for x in inputs)
    if name in SYNCHRONISING:
        _count("syncs", name)
    if not view:
        _count("calls", name)
    return _wrap(np.asarray(result) if isinstance(result, (bool, int)) else result)


def _bind(name, signature, target, method=False):
    """A function with CuPy's signature around NumPy's of the same name."""
    checker = inspect.signature(eval(f"lambda {'self, ' if method else ''}{signature}: None"))
    roles = {key: p for key, p in checker.parameters.items() if key != "self"}

    def function(*args, **kwargs):
        try:
            bound = checker.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"cupy.{'ndarray.' if method else ''}{name}: {error}") from None
        positional, keywords, out = ([bound.arguments["self"]._host] if method else []), {}, None
        for role, parameter in roles.items():
            if role not in bound.arguments:
                continue
            value = bound.arguments[role]
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += value
            elif parameter.kind is parameter.VAR_KEYWORD:
                keywords.update(value)
            elif role == "out" and value is not None:
                out, keywords["out"] = value, _device(value)
            elif parameter.default is parameter.empty:
                positional.append(_convert(name, role, value))
            elif value is not parameter.default:
                keywords[role] = _convert(name, role, value)
        inputs = [x for x in positional if isinstance(x, np.ndarray)]
        with np.errstate(all="ignore"):
            result = target(*positional, **keywords)
        if out is not None or result is None:
            _count("calls", name)
            return out
        return _finish(name, result, inputs)

    function.__name__ = function.__qualname__ = name
    return function


def _ufunc(name, inputs):
    target = getattr(np, name)

    def function(*args, out=None, dtype=None, casting="same_kind"):
        if len(args) == inputs + 1 and out is None:
            *args, out = args
        if len(args) != inputs:
            raise TypeError(f"cupy.{name} takes {inputs} arguments, not {len(args)}")
        check = _device if name == "matmul" else _operand
        hosts = [check(value) for value in args]
        into = None if out is None else _device(out)
        with np.errstate(all="ignore"):
            result = target(*hosts, out=into, dtype=dtype, casting=casting)
        _count("calls", name)
        return _wrap(result) if out is None else out

    function.__name__ = function.__qualname__ = name
    return function


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    """Device arrays stay where they are; anything else is uploaded into memory of its own."""
    if isinstance(a, ndarray):
        host = a._host.astype(dtype or a.dtype, copy=bool(copy))
        if host is a._host:
            return a
        _count("calls", "asarray")
        return _wrap(host)
    host = np.array(a, dtype=dtype, order=order or "K")
    _check_dtype(host.dtype)
    _count("transfers", "asarray")
    return _wrap(host)


def array(obj, dtype=None, copy=True, order="K"):
    return asarray(obj, dtype, order, copy=copy)


def asnumpy(a):
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def arange(*args, dtype=None):
    if any(isinstance(arg, (ndarray, np.ndarray)) for arg in args):
        raise TypeError("cupy.arange takes numbers of the host")
    return _finish("arange", np.arange(*args, dtype=dtype), ())


def einsum(subscripts, *operands, dtype=None, optimize=False):
    keywords = {} if dtype is None else {"dtype": dtype}
    hosts = [_device(operand) for operand in operands]
    return _finish("einsum", np.einsum(subscripts, *hosts, optimize=optimize, **keywords), hosts)


def empty(shape, dtype=float, order="C"):
    return ndarray(shape, dtype, order)


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    return _wrap(_spoil(np.empty_like(_device(prototype), dtype, order, shape=shape)))


def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    if writeable:
        raise NotImplementedError("Writeable views are not supported.")
    return _wrap(np.lib.stride_tricks.sliding_window_view(_device(x), window_shape, axis))


def as_strided(x, shape=None, strides=None):
    return _wrap(np.lib.stride_tricks.as_strided(_device(x), shape, strides))


def get_array_module(*args):
    return xp if any(isinstance(arg, ndarray) for arg in args) else np


def _about_types(name):
    def function(*args, **kwargs):
        plain = [arg.dtype if isinstance(arg, ndarray) else arg for arg in args]
        return getattr(np, name)(*plain, **kwargs)

    return function


class _Pool:
    def used_bytes(self):
        return _memory["used"]

    def total_bytes(self):
        return _memory["used"]

    def free_all_blocks(self):
        """Everything is freed as soon as nobody refers to it."""


class StrictCupy(types.ModuleType):
    """The module: an allow-list, so that a name unknown here is looked up in CuPy's documents first."""

    def __getattr__(self, name):
        if name in MISSING:
            raise AttributeError(f"module 'cupy' has no attribute {name!r}")
        raise AttributeError(f"cupy.{name} is not on the strict stand-in's list: add it if CuPy 14 has it")


xp = StrictCupy("cupy", "A strict stand-in for CuPy.")


def _fill_module():
    for name in CONSTANTS:
        setattr(xp, name, getattr(np, name))
    for names, inputs in ((UFUNCS_1, 1), (UFUNCS_2, 2)):
        for name in names:
            setattr(xp, name, _ufunc(name, inputs))
    for name, signature in FUNCTIONS.items():
        setattr(xp, name, _bind(name, signature, getattr(np, name)))
    for name in ("shape", "ndim", "size"):
        setattr(xp, name, lambda a, name=name: getattr(_device(a), name))
    for name in ("result_type", "can_cast", "promote_types"):
        setattr(xp, name, _about_types(name))
    for function in (asarray, array, asnumpy, arange, einsum, empty, empty_like, get_array_module, ndarray):
        setattr(xp, function.__name__, function)
    xp.lib = types.SimpleNamespace(
        stride_tricks=types.SimpleNamespace(sliding_window_view=sliding_window_view, as_strided=as_strided)
    )
    # A card whose blocks get no shared memory: the engine of kernels does not cover it, array code does.
    runtime = types.SimpleNamespace(
        getDevice=lambda: 0, getDeviceProperties=lambda device: {"sharedMemPerBlockOptin": 0}
    )
    xp.cuda = types.SimpleNamespace(
        Stream=Stream, Device=Device, get_current_stream=lambda: Stream.null, runtime=runtime
    )
    xp.get_default_memory_pool = _Pool


def _fill_class():
    for name, signature in METHODS.items():
        setattr(ndarray, name, _bind(name, signature, getattr(np.ndarray, name), method=True))
    unary = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
    for operator, name in unary.items():
        setattr(ndarray, f"__{operator}__", lambda self, f=xp.__dict__[name]: f(self))
    comparisons = {
        "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    }  # fmt: skip
    for operator, name in comparisons.items():
        setattr(ndarray, f"__{operator}__", lambda self, other, f=xp.__dict__[name]: f(self, other))
    binary = {
        "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "mod": "remainder",
        "floordiv": "floor_divide", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
        "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
    }  # fmt: skip
    for operator, name in binary.items():
        function = xp.__dict__[name]
        setattr(ndarray, f"__{operator}__", lambda self, other, f=function: f(self, other))
        setattr(ndarray, f"__r{operator}__", lambda self, other, f=function: f(other, self))
        if operator != "matmul":  # CuPy has no __imatmul__: a @= b makes a new array of a name.
            setattr(ndarray, f"__i{operator}__", lambda self, other, f=function: f(self, other, out=self))


_fill_module()
_fill_class()


# ---- the backend


@dataclass(frozen=True)
class StrictBackend(Backend):
    """The backend interface over `xp`, passing for a GPU."""

    name = "gpu"
    device_name: str = "strict stand-in"

    @property
    def xp(self):
        return xp

    @property
    def counters(self):
        """Everything counted since the module was imported."""
        return TOTAL

    def counting(self):
        """Count inside a block; see `counting`."""
        return counting()

    def asarray(self, host, dtype=None):
        return xp.asarray(host, dtype=dtype)

    def to_host(self, array):
        return xp.asnumpy(array)

    def synchronize(self):
        Device().synchronize()

    def memory_used(self):
        return _memory["used"]
