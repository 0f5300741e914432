"""Tests of a real GPU: they run where CuPy can use one, and elsewhere are skipped with the probe's reason."""

import pytest

from lenet_gpu.backend.backend import select_backend
from lenet_gpu.backend.probe import cached_probe


@pytest.fixture(scope="session")
def gpu():
    """The GPU backend."""
    found = cached_probe()
    if not found.usable:
        pytest.skip(f"no GPU: {found.reason}")
    return select_backend("gpu")
