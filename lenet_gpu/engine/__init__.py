"""Engines: how a network is run. Each computes what layers.py says, faster or slower."""

from __future__ import annotations

from lenet_gpu.engine.base import Engine, make_engine

__all__ = ["Engine", "make_engine"]
