"""A narrow shadow across a digit: the finger's or the pen's that wrote it.

Light is followed in windows that strokes fit into, so a shadow that is about as narrow as a stroke is long counts as
ink. But it is paler than strokes are, and thicker: there is a body of it that is not near anything dark.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.components import pieces_of
from lenet_gpu.ink.find_ink import Ink
from lenet_gpu.ink.windows import greatest, least

PALE, DARK = 0.2, 0.66
"""Darkness of a shadow, as a share of the ink's, at least; and of ink, in light and in the shadow."""

BODY = 0.1
"""Thickness that only shadows have, as a share of the size of the greatest dark mark."""

SMALLEST, LEAST_SIZE = 12, 0.15
"""Size of the greatest dark mark, at least: in pixels, and as a share of the greatest mark's."""

LEAST_BODY = 0.3
"""Area of a shadow's body, as a share of all that is dark, at least."""

LARGE = 1.0
"""The same, from which what is pale is no stroke."""


def without_shadow(found: Ink) -> tuple[Ink, bool] | None:
    """Take a narrow shadow off a picture's ink.

    Args:
        found: The ink.

    Returns:
        What of it is dark, as ink, and whether the rest is certainly no stroke; None if there is no such shadow.
    """
    dark = found.ink > DARK
    count = np.count_nonzero(dark)
    pale = (found.ink > PALE) & ~dark
    if not count or np.count_nonzero(pale) < LEAST_BODY * count:
        return None
    rows, columns = np.flatnonzero(pale.any(axis=1)), np.flatnonzero(pale.any(axis=0))
    there = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pieces = pieces_of(dark)
    size, whole = (float(np.maximum(some.heights, some.widths).max(initial=0)) for some in (pieces, found.pieces))
    if size < max(SMALLEST, LEAST_SIZE * whole):  # the darker spots of a pale line
        return None
    window = 2 * max(1, int(BODY * size / 2.0)) + 1
    body = np.count_nonzero(greatest(least(pale[there], window), window))
    if body < LEAST_BODY * count:
        return None
    ink = np.where(greatest(dark, 3), np.clip((found.ink - PALE) / (DARK - PALE), 0.0, 1.0), np.float32(0.0))
    return found._replace(ink=ink.astype(np.float32), pieces=pieces), bool(body >= LARGE * count)
