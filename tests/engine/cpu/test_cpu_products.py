"""How the CPU plan follows the processor: products in pieces, and three ways of squashing."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lenet_gpu.engine.cpu import squash as cpu_squash
from lenet_gpu.engine.cpu.ops import SMALL, Products, Recorder, bounds, run
from lenet_gpu.engine.cpu.squash import ByDoubling, ByDoublingClipped, ByExp, ByTanh
from lenet_gpu.paper import SQUASH_A, SQUASH_S


@pytest.mark.parametrize(("size", "pieces"), [(7, 1), (7, 3), (3, 7), (1, 1), (181, 5)])
def test_pieces_cover_everything_once_and_are_about_equal(size, pieces):
    found = bounds(size, pieces)
    assert [i for start, stop in found for i in range(start, stop)] == list(range(size))
    assert len(found) == min(size, pieces)
    assert max(b - a for a, b in found) - min(b - a for a, b in found) <= 1


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("kind", ["rows", "few rows", "columns"])
@pytest.mark.parametrize("shape", [(32, 181, 800), (5, 3, 8), (24, 1568, 40)])
def test_pieces_are_small_and_make_the_product(rng, shape, kind, strided):
    m, k, n = shape
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    counts = {}
    for cut in (False, True):
        out = np.full((m, 2 * n), np.nan)[:, :n] if strided else np.full((m, n), np.nan)
        do = Recorder(Products(cut))
        if kind == "columns":
            do.product_by_columns(a, b, out=out, unit=8)
        else:
            do.product_by_rows(a, b, out=out, most=3 if kind == "few rows" else None)
        assert np.isnan(out).all()  # recorded, not computed
        run(do.calls)
        np.testing.assert_allclose(out, a @ b, atol=1e-10)
        counts[cut] = len(do.calls)
    assert counts[False] == 1
    rows = m // counts[True] if kind != "columns" else m
    columns = n // counts[True] if kind == "columns" else n
    assert rows * k * columns <= SMALL * 1.1  # pieces are about equal
    if kind == "few rows":
        assert rows <= 3


@pytest.mark.parametrize(
    ("way", "tolerance"), [(ByExp, 1e-14), (ByTanh, 1e-14), (ByDoubling, 7e-8), (ByDoublingClipped, 7e-8)]
)
def test_every_way_computes_the_squashing_function(way, tolerance):
    a = np.linspace(-8.0, 8.0, 321)  # 0 among them
    expected = SQUASH_A * np.tanh(SQUASH_S * a)
    squash, scratch = way(), np.empty_like(a)

    def computed(method, x):
        do = Recorder()
        method(do, x, scratch)
        with np.errstate(divide="ignore"):
            run(do.calls)

    t = squash.weight * a
    computed(squash.unit, t)
    np.testing.assert_allclose(squash.offset + squash.factor * t, expected, atol=tolerance)
    computed(squash.derivative, t)
    slope = SQUASH_S * (SQUASH_A - expected**2 / SQUASH_A)
    np.testing.assert_allclose(squash.slope * t, slope, atol=2 * tolerance)
    y = squash.weight * a
    computed(squash.output, y)
    np.testing.assert_allclose(y, expected, atol=tolerance)


@pytest.mark.parametrize(("largest", "error"), [(20.0, 2e-7), (24.0, 1.5e-6), (ByDoubling.REACH, 7e-6)])
def test_doubling_is_as_exact_as_it_says_within_its_reach(largest, error):
    u = np.append(np.geomspace(1e-30, largest, 400_001), [0.0, largest]).astype(np.float32)
    u = np.concatenate([u, -u])
    t, scratch, do = u.copy(), np.empty_like(u), Recorder()
    ByDoubling().unit(do, t, scratch)
    with np.errstate(divide="ignore"):
        run(do.calls)
    np.testing.assert_allclose(t, np.tanh(u.astype(float)), atol=error, rtol=0)
    small = (np.abs(u) > 0) & (np.abs(u) < 0.1)  # exact in proportion
    np.testing.assert_allclose(t[small], np.tanh(u[small].astype(float)), rtol=1e-6)


def test_clipped_doubling_has_no_bounds():
    u = np.array([0.0, 19.0, 21.0, 1e3, 1e30, np.inf, np.nan], np.float32)
    u = np.concatenate([u, -u])
    t, do = u.copy(), Recorder()
    ByDoublingClipped().unit(do, t, np.empty_like(u))
    with np.errstate(divide="ignore"):
        run(do.calls)
    np.testing.assert_allclose(t, np.tanh(u.astype(float)), atol=1e-7)


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["AVX512_SKX"], True), (["X86_V4"], True), (["X86_V3"], False), (["FMA3__AVX2"], False), (["ASIMD"], False),
     ([], False)],
)  # fmt: skip
def test_the_processor_is_known_by_what_numpy_runs(monkeypatch, names, expected):
    from numpy.lib import introspect

    kinds = {"tanh": {name: {"current": name, "available": f"{name} baseline"} for name in names}}
    monkeypatch.setattr(introspect, "opt_func_info", lambda func_name, signature: kinds)
    cpu_squash.has_wide_vectors.cache_clear()
    assert cpu_squash.has_wide_vectors() is expected
    monkeypatch.undo()
    cpu_squash.has_wide_vectors.cache_clear()


def test_a_real_numpy_says_what_it_runs():
    """In a process that is told not to use AVX-512, where there is any, the answer is no."""
    from numpy._core._multiarray_umath import __cpu_features__ as features

    code = "from lenet_gpu.engine.cpu.squash import has_wide_vectors; print(has_wide_vectors())"
    wide = features.get("AVX512_SKX", False)
    for disabled, expected in (("", bool(wide)), *([("AVX512_SKX X86_V4", False)] if wide else [])):
        names = " ".join(name for name in disabled.split() if name in features)
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**os.environ, "NPY_DISABLE_CPU_FEATURES": names},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ended.stdout.strip() == str(expected)
