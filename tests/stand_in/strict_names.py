"""What the strict stand-in for CuPy knows, as data: CuPy 14's names and signatures.

Signatures are CuPy's, less what NumPy lacks: an argument that only one of the two has is refused, so that what
runs here runs on both. Arguments called as in `DEVICE` must be device arrays (and so must `out`, `where`,
`weights` and `indices`), as in `OPERAND` device arrays or scalars, as in `DEVICES` sequences of device arrays;
all others belong to the host.
"""

from __future__ import annotations


def _words(text):
    return tuple(text.split())


DEVICE = frozenset(_words("a a1 a2 ar array ary b condition dst m prototype x"))
OPERAND = frozenset(_words("src a_min a_max fill_value min max"))
DEVICES = frozenset(("tup",))

UFUNCS_1 = _words(
    """absolute abs arccos arcsin arctan arctanh cbrt ceil conjugate cos cosh deg2rad degrees exp exp2 expm1
fabs floor invert isfinite isinf isnan log log10 log1p log2 logical_not negative positive rad2deg radians
reciprocal rint sign signbit sin sinh sqrt square tan tanh trunc"""
)

UFUNCS_2 = _words(
    """add arctan2 bitwise_and bitwise_or bitwise_xor copysign divide equal float_power floor_divide fmax
fmin fmod greater greater_equal heaviside hypot ldexp left_shift less less_equal logaddexp logaddexp2 logical_and
logical_or logical_xor matmul maximum minimum mod multiply not_equal power remainder right_shift subtract
true_divide"""
)
"""CuPy's ufuncs take out, dtype and casting; `where`, which NumPy has, is unknown to them."""

FUNCTIONS = {
    "all": "a, axis=None, out=None, keepdims=False",
    "amax": "a, axis=None, out=None, keepdims=False",
    "amin": "a, axis=None, out=None, keepdims=False",
    "any": "a, axis=None, out=None, keepdims=False",
    "argmax": "a, axis=None, *, out=None, keepdims=False",
    "argmin": "a, axis=None, *, out=None, keepdims=False",
    "argsort": "a, axis=-1, kind=None",
    "array_equal": "a1, a2, equal_nan=False",
    "allclose": "a, b, rtol=1e-05, atol=1e-08, equal_nan=False",
    "ascontiguousarray": "a, dtype=None",
    "bincount": "x, weights=None, minlength=None",
    "broadcast_to": "array, shape",
    "clip": "a, a_min, a_max, out=None",
    "concatenate": "tup, axis=0, out=None, *, dtype=None, casting='same_kind'",
    "copy": "a, order='K'",
    "copyto": "dst, src, casting='same_kind', where=None",
    "count_nonzero": "a, axis=None",
    "cumsum": "a, axis=None, dtype=None, out=None",
    "diagonal": "a, offset=0, axis1=0, axis2=1",
    "dot": "a, b, out=None",
    "empty": "shape, dtype=float, order='C'",
    "empty_like": "prototype, dtype=None, order='K', subok=None, shape=None",
    "expand_dims": "a, axis",
    "eye": "N, M=None, k=0, dtype=float, order='C'",
    "flip": "a, axis=None",
    "full": "shape, fill_value, dtype=None, order='C'",
    "full_like": "a, fill_value, dtype=None, order='K', subok=None, shape=None",
    "inner": "a, b",
    "isclose": "a, b, rtol=1e-05, atol=1e-08, equal_nan=False",
    "linspace": "start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0",
    "max": "a, axis=None, out=None, keepdims=False",
    "mean": "a, axis=None, dtype=None, out=None, keepdims=False",
    "min": "a, axis=None, out=None, keepdims=False",
    "moveaxis": "a, source, destination",
    "nonzero": "a",
    "ones": "shape, dtype=float, order='C'",
    "ones_like": "a, dtype=None, order='K', subok=None, shape=None",
    "outer": "a, b, out=None",
    "pad": "array, pad_width, mode='constant', **kwargs",
    "prod": "a, axis=None, dtype=None, out=None, keepdims=False",
    "ravel": "a, order='C'",
    "repeat": "a, repeats, axis=None",
    "reshape": "a, newshape, order='C'",
    "roll": "a, shift, axis=None",
    "round": "a, decimals=0, out=None",
    "sort": "a, axis=-1, kind=None",
    "split": "ary, indices_or_sections, axis=0",
    "squeeze": "a, axis=None",
    "stack": "tup, axis=0, out=None, *, dtype=None, casting='same_kind'",
    "std": "a, axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "sum": "a, axis=None, dtype=None, out=None, keepdims=False",
    "swapaxes": "a, axis1, axis2",
    "take": "a, indices, axis=None, out=None",
    "take_along_axis": "a, indices, axis",
    "tensordot": "a, b, axes=2",
    "trace": "a, offset=0, axis1=0, axis2=1, dtype=None, out=None",
    "transpose": "a, axes=None",
    "tril": "m, k=0",
    "triu": "m, k=0",
    "unique": "ar, return_index=False, return_inverse=False, return_counts=False",
    "var": "a, axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "vdot": "a, b",
    "where": "condition, x, y",
    "zeros": "shape, dtype=float, order='C'",
    "zeros_like": "a, dtype=None, order='K', subok=None, shape=None",
}

METHODS = {
    "all": "axis=None, out=None, keepdims=False",
    "any": "axis=None, out=None, keepdims=False",
    "argmax": "axis=None, out=None, keepdims=False",
    "argmin": "axis=None, out=None, keepdims=False",
    "argsort": "axis=-1, kind=None",
    "astype": "dtype, order='K', casting='unsafe', subok=None, copy=True",
    "clip": "min=None, max=None, out=None",
    "conj": "",
    "copy": "order='C'",
    "cumsum": "axis=None, dtype=None, out=None",
    "diagonal": "offset=0, axis1=0, axis2=1",
    "dot": "b, out=None",
    "fill": "fill_value",
    "flatten": "order='C'",
    "max": "axis=None, out=None, keepdims=False",
    "mean": "axis=None, dtype=None, out=None, keepdims=False",
    "min": "axis=None, out=None, keepdims=False",
    "nonzero": "",
    "prod": "axis=None, dtype=None, out=None, keepdims=False",
    "ravel": "order='C'",
    "repeat": "repeats, axis=None",
    "reshape": "*shape, order='C'",
    "round": "decimals=0, out=None",
    "sort": "axis=-1, kind=None",
    "squeeze": "axis=None",
    "std": "axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "sum": "axis=None, dtype=None, out=None, keepdims=False",
    "swapaxes": "axis1, axis2",
    "take": "indices, axis=None, out=None",
    "trace": "offset=0, axis1=0, axis2=1, dtype=None, out=None",
    "transpose": "*axes",
    "var": "axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "view": "dtype=None",
}

SYNCHRONISING = frozenset(("nonzero", "unique", "bincount"))
"""Functions of CuPy's that wait for the device, because the shape of their result depends on the data."""

CONSTANTS = _words(
    """bool bool_ complex64 complex128 dtype e finfo float16 float32 float64 floating iinfo inf int8 int16
int32 int64 int_ integer intp nan newaxis number pi uint8 uint16 uint32 uint64"""
)
"""What CuPy takes from NumPy as it is."""

MISSING = frozenset(
    _words(
        """False_ ScalarType True_ asmatrix block bmat busday_count busday_offset busdaycalendar bytes_ char character
    clongdouble complex256 core ctypeslib datetime64 datetime_as_string datetime_data dtypes einsum_path emath
    errstate f2py flexible float128 frompyfunc fromregex geomspace get_include getbufsize geterr geterrcall
    histogram_bin_edges info insert is_busday isnat little_endian longdouble ma matrix matvec memmap nanpercentile
    nanquantile ndenumerate nditer nested_iters object_ polyder polydiv polyint rec recarray record sctypeDict
    setbufsize seterr seterrcall show_runtime spacing str_ strings test timedelta64 typecodes unstack vecdot vecmat
    void"""
    )
)
"""NumPy's 71 public names that CuPy 14.2 lacks (NumPy 2.4)."""
