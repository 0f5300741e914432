"""The strict stand-in for CuPy: that it computes like NumPy, refuses what CuPy refuses, and counts."""

import copy
import gc
import math
import operator

import numpy as np
import pytest
from stand_in.strict_cupy import (
    TOTAL,
    DeviceSynchronized,
    StrictBackend,
    allow_host_indices,
    counting,
    forbid_syncs,
    ndarray,
    xp,
)
from stand_in.strict_names import FUNCTIONS, METHODS, MISSING, UFUNCS_1, UFUNCS_2

HOST = np.arange(12, dtype=np.float32).reshape(3, 4) - 5


@pytest.fixture
def a():
    return xp.asarray(HOST)


def same(device, host):
    """Value, dtype and shape alike, and on the device."""
    assert isinstance(device, ndarray), type(device)
    got = device.get()
    host = np.asarray(host)
    assert (got.dtype, got.shape) == (host.dtype, host.shape)
    np.testing.assert_array_equal(got, host)


# ---- it computes

COMPUTED = {
    "scalar on the right": lambda x, m: x * 2.0 + 1,
    "scalar on the left": lambda x, m: 1.5 - 2 * x,
    "numpy scalar on the right": lambda x, m: x * np.float32(2),
    "numpy scalar on the left": lambda x, m: np.float32(2) * x,
    "numpy float64 scalar widens": lambda x, m: np.float64(2) * x,
    "integer division": lambda x, m: x // 2 % 3,
    "power": lambda x, m: x**2,
    "comparison": lambda x, m: (x > 0) & (x <= 3) | ~(x == 1),
    "unary": lambda x, m: abs(-x),
    "product": lambda x, m: x @ x.T,
    "tensordot": lambda x, m: m.tensordot(x, x, axes=([0], [0])),
    "einsum": lambda x, m: m.einsum("ij,kj->ik", x, x),
    "matmul": lambda x, m: m.matmul(x, x.T),
    "sum to a 0-d array": lambda x, m: x.sum(),
    "sum over axes": lambda x, m: m.sum(x, axis=(0, 1), keepdims=True),
    "sum widens uint8": lambda x, m: m.sum(x.astype("uint8"), axis=0),
    "max": lambda x, m: x.max(axis=1, keepdims=True),
    "mean": lambda x, m: m.mean(x, axis=0),
    "argmax": lambda x, m: x.argmax(axis=1),
    "argmax of all": lambda x, m: m.argmax(x),
    "tanh": lambda x, m: m.tanh(2.0 / 3.0 * x),
    "exp and log": lambda x, m: m.log(m.exp(x)),
    "log of a negative number": lambda x, m: m.isnan(m.log(x)),
    "maximum": lambda x, m: m.maximum(x, 0),
    "square, sqrt": lambda x, m: m.sqrt(m.square(x)),
    "where": lambda x, m: m.where(x > 0, x, 0.0),
    "clip": lambda x, m: m.clip(x, -1, 1),
    "reshape": lambda x, m: x.reshape(2, -1),
    "transpose": lambda x, m: x.transpose(1, 0),
    "pad": lambda x, m: m.pad(x, ((1, 1), (0, 2)), mode="constant", constant_values=-1),
    "windows": lambda x, m: m.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(0, 1)),
    "concatenate": lambda x, m: m.concatenate([x, x], axis=1),
    "stack": lambda x, m: m.stack((x, x)),
    "basic indexing": lambda x, m: x[1:, ::-1],
    "one element": lambda x, m: x[1, 2],
    "row": lambda x, m: x[-1],
    "new axis": lambda x, m: x[:, None, ..., 0],
    "fancy indexing": lambda x, m: x[m.asarray([2, 0, 2])],
    "fancy indexing on two axes": lambda x, m: x[m.asarray([2, 0]), m.asarray([1, 3])],
    "mask": lambda x, m: x[x > 0],
    "take": lambda x, m: m.take(x, m.asarray([1, 0]), axis=0),
    "take_along_axis": lambda x, m: m.take_along_axis(x, m.argsort(x, axis=1), axis=1),
    "arange": lambda x, m: m.arange(2, 11, 3, dtype="int32"),
    "zeros": lambda x, m: m.zeros((2, 3), dtype="float32"),
    "zeros are float64 unless told": lambda x, m: m.zeros(3),
    "full": lambda x, m: m.full((2,), 7, dtype="uint8"),
    "isfinite": lambda x, m: m.isfinite(x / 0),
    "astype": lambda x, m: x.astype("int8"),
    "one hot": lambda x, m: (m.asarray([1, 0])[:, None] == m.arange(3)).astype(x.dtype),
    "split": lambda x, m: m.split(x, 2, axis=1)[1],
    "count": lambda x, m: m.count_nonzero(x),
    "all": lambda x, m: (x > -9).all(),
    "equality of arrays": lambda x, m: m.asarray(m.array_equal(x, x)),
    "broadcast_to": lambda x, m: m.broadcast_to(x[:, :1], (3, 5)),
    "squeeze": lambda x, m: m.expand_dims(x, 0).squeeze(axis=0),
    "result type": lambda x, m: m.zeros(1, dtype=m.result_type(x, "float64")),
    "dispatch from numpy": lambda x, m: np.tanh(np.sum(x, axis=0)),
}  # fmt: skip


@pytest.mark.parametrize("compute", COMPUTED.values(), ids=COMPUTED)
def test_it_computes_like_numpy(compute, a):
    with np.errstate(all="ignore"):
        same(compute(a, xp), compute(HOST.copy(), np))


def add_to(x, m):
    x += 1
    x[1:] -= 2
    x[0, :] *= x[1]
    x /= 2
    return x


def overwrite(x, m):
    x[...] = x[::-1] * 1
    x[:, 1] = 7
    x[m.asarray([0, 2])] = x[m.asarray([2, 0])]
    x[x > 6.5] = 0.5
    return x


def with_out(x, m):
    out = m.empty_like(x)
    assert m.multiply(x, 3, out=out) is out
    assert m.add(out, x, out=out) is out
    assert m.subtract(out, 1, out) is out
    m.maximum(out, 0.0, out=out)
    m.copyto(out, m.tanh(out), where=x > 0)
    gathered = m.zeros((2, 4), dtype="float32")
    m.take(out, m.asarray([2, 1]), axis=0, out=gathered)
    total = m.zeros((3,), dtype="float32")
    assert m.sum(out, axis=1, out=total) is total
    return m.concatenate([gathered, out * total[:, None]])


def through_views(x, m):
    flat = x.reshape(-1)
    flat[3:5].reshape(2, 1)[...] = m.zeros((2, 1), dtype="float32")
    x.T[0] += 100
    return x


@pytest.mark.parametrize("compute", [add_to, overwrite, with_out, through_views])
def test_it_writes_like_numpy(compute, a):
    same(compute(a, xp), compute(HOST.copy(), np))


# ---- it refuses

REFUSED = {
    "implicit conversion": lambda d, h: np.asarray(d),
    "implicit conversion with a type": lambda d, h: np.array(d, dtype="float64"),
    "writing into a host array": lambda d, h: operator.setitem(h, slice(None), d),
    "a host index into a host array": lambda d, h: h[d.astype("int64")],
    "host array on the right": lambda d, h: d + h,
    "host array on the left": lambda d, h: h + d,
    "host array in place": lambda d, h: operator.iadd(d, h),
    "host array updated in place": lambda d, h: operator.iadd(h, d),
    "host array compared": lambda d, h: d == h,
    "0-d host array": lambda d, h: d * np.array(2.0),
    "host array multiplied": lambda d, h: d @ h.T,
    "host array multiplies": lambda d, h: h.T @ d,
    "host array in a ufunc": lambda d, h: xp.add(d, h),
    "host arrays alone in a ufunc": lambda d, h: xp.exp(h),
    "host array in a function": lambda d, h: xp.tensordot(d, h, axes=2),
    "host array reduced": lambda d, h: xp.sum(h),
    "host array stacked": lambda d, h: xp.concatenate([d, h]),
    "host array in einsum": lambda d, h: xp.einsum("ij,ij", d, h),
    "host array as out": lambda d, h: xp.multiply(d, 2, out=h),
    "host array as out of a reduction": lambda d, h: xp.sum(d, axis=0, out=h[0]),
    "host array as out of a method": lambda d, h: d.sum(axis=0, out=h[0]),
    "device array as out of numpy": lambda d, h: np.multiply(h, 2, out=d),
    "host array assigned": lambda d, h: operator.setitem(d, slice(None), h),
    "host array as destination": lambda d, h: xp.copyto(h, d),
    "host array as mask": lambda d, h: xp.where(h > 0, d, 0),
    "host array chosen from": lambda d, h: xp.where(d > 0, d, h),
    "host index": lambda d, h: d[np.array([0, 1])],
    "list as index": lambda d, h: d[[0, 1]],
    "host index in take": lambda d, h: xp.take(d, np.array([0, 1]), axis=0),
    "host index assigned": lambda d, h: operator.setitem(d, [0, 1], 0),
    "list as operand": lambda d, h: operator.add(d, [1, 2, 3, 4]),
    "list reduced": lambda d, h: xp.sum([1, 2]),
    "text as operand": lambda d, h: d + "1",
    "None as operand": lambda d, h: d * None,
    "device array as a Python index": lambda d, h: range(xp.argmax(d)),
    "device array as an axis": lambda d, h: d.sum(axis=xp.argmax(d)),
    "where= of a ufunc": lambda d, h: xp.add(d, 1, where=d > 0),
    "initial= of a reduction": lambda d, h: xp.max(d, axis=0, initial=0),
    "where= of a reduction": lambda d, h: d.sum(where=d > 0),
    "mode= of take": lambda d, h: xp.take(d, xp.asarray([0]), axis=0, mode="clip"),
    "where with a condition alone": lambda d, h: xp.where(d > 0),
    "iterating a 0-d array": lambda d, h: iter(d.sum()),
    "length of a 0-d array": lambda d, h: len(d.sum()),
    "hashing": lambda d, h: hash(d),
    "a numpy function CuPy lacks": lambda d, h: np.nanpercentile(d, 50),
    "a ufunc's method": lambda d, h: np.add.reduce(d),
    "casting down into out": lambda d, h: xp.multiply(d, 1.5, out=xp.zeros(d.shape, dtype="int32")),
}  # fmt: skip


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED)
def test_it_refuses_what_cupy_refuses(attempt, a):
    with pytest.raises(TypeError):
        attempt(a, HOST.copy())


def test_the_messages_are_cupys(a):
    with pytest.raises(TypeError, match=r"^Implicit conversion to a NumPy array is not allowed\. Please use"):
        np.asarray(a)
    with pytest.raises(TypeError, match=r"^Unsupported type <class 'numpy.ndarray'>$"):
        a + HOST


@pytest.mark.parametrize("data", ["text", ["a", "b"], [None], np.array([b"x"]), np.zeros(2, "longdouble")])
def test_types_no_gpu_knows_are_refused(data):
    with pytest.raises(ValueError, match="Unsupported dtype"):
        xp.asarray(data)


@pytest.mark.parametrize("dtype", [object, "U3", "datetime64[s]"])
def test_arrays_of_such_types_can_not_be_made(dtype, a):
    for make in (lambda: xp.zeros(2, dtype=dtype), lambda: xp.empty(2, dtype), lambda: a.astype(dtype)):
        with pytest.raises((ValueError, TypeError)):
            make()


@pytest.mark.parametrize("name", sorted(MISSING))
def test_names_cupy_lacks(name):
    with pytest.raises(AttributeError, match=f"module 'cupy' has no attribute '{name}'"):
        getattr(xp, name)


@pytest.mark.parametrize("name", ["random", "polyfit", "hologram"])
def test_names_that_nobody_has_looked_up(name):
    with pytest.raises(AttributeError, match="not on the strict stand-in's list"):
        getattr(xp, name)


def test_attributes_cupy_lacks(a):
    for name in ("ctypes", "setflags", "resize", "__index__", "__array_interface__"):
        with pytest.raises(AttributeError):
            getattr(a, name)
    with pytest.raises(AttributeError):
        a.shape = (4, 3)


def test_the_lists_are_about_names_numpy_has():
    for name in [*UFUNCS_1, *UFUNCS_2, *FUNCTIONS]:
        assert callable(getattr(np, name))
        assert name not in MISSING
    for name in METHODS:
        assert callable(getattr(np.ndarray, name))
    assert len(MISSING) == 71


def test_in_place_matmul_rebinds_the_name_as_on_cupy():
    a = before = xp.asarray(np.eye(3, dtype="float32"))
    a @= a
    assert a is not before


def test_a_scattered_assignment_with_duplicates_is_refused(a):
    with pytest.raises(ValueError, match="twice"):
        a[xp.asarray([1, 1])] = a[:2]
    a[xp.asarray([1, 1])] = 3.0  # The same value twice is no question.
    assert a[1].tolist() == [3.0] * 4


def test_empty_holds_rubbish():
    assert np.isnan(xp.empty((2, 2), dtype="float32").get()).all()
    assert np.isnan(xp.empty_like(xp.zeros(3)).get()).all()
    assert xp.empty(3, dtype="int32").get().min() == 2**31 - 1


def test_device_memory_is_not_the_hosts(a):
    host = HOST.copy()
    device = xp.asarray(host)
    host[:] = 0
    same(device, HOST)
    fetched = device.get()
    fetched[:] = 0
    same(device, HOST)
    assert xp.asarray(device) is device
    duplicate = copy.deepcopy(device)
    device[:] = 0
    same(duplicate, HOST)


def test_an_element_is_a_view_not_a_number(a):
    element = a[1, 2]
    element += 10
    assert element.shape == ()
    assert a.tolist()[1][2] == HOST[1, 2] + 10


# ---- it counts


def counted(action):
    with counting() as counters:
        action()
    return counters.calls, counters.syncs, counters.transfers


CALLS = {
    "operator": (lambda a: a + 1, 1),
    "two operators": (lambda a: 2 * a + 1, 2),
    "in place": (lambda a: operator.iadd(a, 1), 1),
    "in place on a part": (lambda a: operator.setitem(a, 0, operator.iadd(a[0], 1)), 1),
    "ufunc": (lambda a: xp.tanh(a), 1),
    "ufunc with out": (lambda a: xp.tanh(a, out=a), 1),
    "reduction": (lambda a: a.sum(axis=0), 1),
    "product": (lambda a: a @ a.T, 1),
    "assignment": (lambda a: operator.setitem(a, slice(None), 0), 1),
    "gather": (lambda a: a[xp.arange(2)], 2),
    "take": (lambda a: a.take(xp.arange(2), axis=0), 2),
    "zeros": (lambda a: xp.zeros(3), 1),
    "copying reshape": (lambda a: a.T.reshape(-1), 1),
    "copy": (lambda a: a.copy(), 1),
    "astype": (lambda a: a.astype("float64"), 1),
    "copyto": (lambda a: xp.copyto(a, 0), 1),
    "empty": (lambda a: xp.empty(3), 0),
    "empty_like": (lambda a: xp.empty_like(a), 0),
    "astype that changes nothing": (lambda a: a.astype("float32", copy=False), 0),
    "reshape": (lambda a: a.reshape(-1), 0),
    "transpose": (lambda a: a.T, 0),
    "slice": (lambda a: a[1:, 0], 0),
    "element": (lambda a: a[0, 0], 0),
    "windows": (lambda a: xp.lib.stride_tricks.sliding_window_view(a, 2, axis=0), 0),
    "as_strided": (lambda a: xp.lib.stride_tricks.as_strided(a, (2, 2), (4, 4)), 0),
    "broadcast_to": (lambda a: xp.broadcast_to(a, (5, 3, 4)), 0),
    "split": (lambda a: xp.split(a, 3), 0),
    "shape, size, length, dtype": (lambda a: (a.shape, a.size, len(a), a.dtype, a.nbytes, a.ndim), 0),
    "iterating": (lambda a: list(a), 0),
}  # fmt: skip


@pytest.mark.parametrize(("action", "calls"), CALLS.values(), ids=CALLS)
def test_calls_are_counted_and_views_are_not(action, calls, a):
    assert counted(lambda: action(a)) == (calls, 0, 0)


SYNCS = {
    "get": lambda a: a.get(),
    "item": lambda a: a[0, 0].item(),
    "float": lambda a: float(a[0, 0]),
    "int": lambda a: int(a[0, 0]),
    "complex": lambda a: complex(a[0, 0]),
    "bool": lambda a: bool(a[0, 0]),
    "if": lambda a: 1 if a[0, 0] else 2,
    "not": lambda a: not a[0, 0],
    "math": lambda a: math.floor(a[0, 0]),
    "tolist": lambda a: a.tolist(),
    "tobytes": lambda a: a.tobytes(),
    "repr": lambda a: repr(a),
    "format": lambda a: f"{a[0, 0]:.3f}",
    "print": lambda a: str(a),
    "asnumpy": lambda a: xp.asnumpy(a),
    "stream": lambda a: xp.cuda.Stream.null.synchronize(),
    "current stream": lambda a: xp.cuda.get_current_stream().synchronize(),
    "device": lambda a: xp.cuda.Device().synchronize(),
    "backend": lambda a: StrictBackend().synchronize(),
    "to_host": lambda a: StrictBackend().to_host(a),
}  # fmt: skip


@pytest.mark.parametrize("action", SYNCS.values(), ids=SYNCS)
def test_synchronisations_are_counted_and_can_be_forbidden(action, a):
    assert counted(lambda: action(a)) == (0, 1, 0)
    with pytest.raises(DeviceSynchronized), forbid_syncs():
        action(a)
    action(a)


@pytest.mark.parametrize(
    "action",
    [lambda a: a[a > 0], lambda a: operator.setitem(a, a > 0, 0), lambda a: xp.nonzero(a), lambda a: xp.unique(a)],
)
def test_results_whose_shape_depends_on_data_synchronise(action, a):
    with counting() as counters:
        action(a)
    assert counters.syncs == 1


TRANSFERS = {
    "asarray": lambda a: xp.asarray(HOST),
    "array of a list": lambda a: xp.array([1, 2]),
    "backend": lambda a: StrictBackend().asarray(HOST),
    "set": lambda a: a.set(HOST),
}  # fmt: skip


@pytest.mark.parametrize("action", TRANSFERS.values(), ids=TRANSFERS)
def test_uploads_are_counted(action, a):
    assert counted(lambda: action(a)) == (0, 0, 1)


def test_a_scalar_scattered_by_an_index_array_is_an_upload(a):
    index = xp.arange(2)
    assert counted(lambda: operator.setitem(a, index, 0.0)) == (1, 0, 1)


def test_host_indices_are_uploads_where_they_are_allowed(a):
    with allow_host_indices(), counting() as counters:
        same(a[[0, 2]], HOST[[0, 2]])
        same(a.take(np.array([1]), axis=0), HOST[[1]])
    assert counters.transfers == 2
    with pytest.raises(TypeError, match="host index"):
        a[[0, 2]]


def test_counting_nests_and_tells_names(a):
    before = TOTAL.calls
    with counting() as outer:
        a + 1
        with counting() as inner:
            a.sum()
        float(a[0, 0])
    a + 1
    assert (outer.calls, outer.syncs, inner.calls, inner.syncs) == (2, 1, 1, 0)
    assert outer.names == {"calls:add": 1, "calls:sum": 1, "syncs:float": 1}
    assert TOTAL.calls == before + 3


# ---- the backend


def test_the_backend():
    backend = StrictBackend()
    assert (backend.name, backend.xp, backend.device_name) == ("gpu", xp, "strict stand-in")
    assert backend == StrictBackend()
    assert backend.counters is TOTAL
    with backend.counting() as counters:
        device = backend.asarray([1, 2, 3], dtype="float32")
        same(device * 2, np.array([2, 4, 6], dtype="float32"))
        host = backend.to_host(device)
    assert isinstance(host, np.ndarray)
    assert (counters.calls, counters.syncs, counters.transfers) == (1, 2, 1)
    assert backend.to_host(host) is host
    assert xp.get_array_module(host, device) is xp
    assert xp.get_array_module(host, 1.0) is np


def test_memory_used_follows_the_arrays():
    gc.collect()
    backend = StrictBackend()
    before = backend.memory_used()
    big = xp.zeros((100, 100), dtype="float32")
    view = big[10:].T
    assert backend.memory_used() - before == 40_000
    assert xp.get_default_memory_pool().used_bytes() == backend.memory_used()
    del big
    assert backend.memory_used() - before == 40_000
    del view
    assert backend.memory_used() == before
