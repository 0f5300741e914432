"""Every random number of a run, from one counter-based generator on the host.

Philox is counter-based: its key alone fixes the whole sequence, on every platform and NumPy version that
keeps the stream, and no state has to be carried from epoch to epoch. Resuming a run therefore needs the
seed and the number of the next epoch, nothing more, and NumPy and CuPy runs see the same numbers.
"""

from __future__ import annotations

import numpy as np

WEIGHTS = 0
"""Stream of the initial weights; epoch e (counted from 1) uses stream e."""

MAX_SEED = 2**63 - 1

ORDER, DISTORTIONS, STROKE_WIDTHS, SOURCES, CURVATURE = range(5)
"""Purposes of an epoch's draws: each has its own streams, so that none moves when another draws more or less."""

LAYERS = 16
"""Purpose of the first layer of a network, for what layers draw themselves (dropout); layer k has LAYERS + k."""


def generator(seed: int, stream: int, purpose: int = ORDER) -> np.random.Generator:
    """Make a generator that depends on nothing but its arguments.

    Args:
        seed: The run's seed, 0 <= seed <= 2**63 - 1.
        stream: `WEIGHTS` or the number of an epoch, counted from 1; below 2**56.
        purpose: `ORDER` (and the weights), or another of the purposes above.

    Returns:
        A generator at the start of its stream.
    """
    key = np.array([seed, stream | purpose << 56], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """Draw the order in which an epoch visits the training set.

    Args:
        seed: The run's seed.
        epoch: Number of the epoch, counted from 1.
        n: Number of training images.

    Returns:
        A permutation of 0 ... n-1, (n,) int64.
    """
    return generator(seed, epoch).permutation(n)
