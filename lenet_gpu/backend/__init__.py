"""The home of arrays: the array module as a value; the probe that tells if there is a GPU, and if not why."""

from __future__ import annotations

from lenet_gpu.backend.backend import Backend, select_backend

__all__ = ["Backend", "select_backend"]
