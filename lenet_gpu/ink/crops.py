"""Tell pictures that are cut to their ink from those in which marks stand free."""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.absorption import DEPTHS, darkest
from lenet_gpu.ink.components import pieces_of
from lenet_gpu.ink.sides import without_sides

MOST_OF_EDGE = 0.9
"""Share of an edge along which strokes reach it, at most."""

EVEN_GROUND, FAINTEST = 0.2, 0.01
"""Share of a clean crop that has no ink at all, and darkness of the faintest ink in it, at least."""

SHADE, LEAST_SHADE, LIGHTER = 0.12, 0.05, 0.75
"""Depth of a shadow, and its share of the picture, at least; and its depth as a share of the ink's, at most."""

CUT_MARGIN = (3, 0.1, 0.2)
"""Margin between the dark ink of a clean crop and its edges, at most: pixels, or shares of the longer and its own
side."""

EDGE = 0.07
"""Distance from an edge at which ink reaches it still, as a share of the side."""

LEAST_SIZE = 0.06
"""Size of a mark, as a share of the picture's longer side, below which fainter marks are looked for."""


def is_shaded(even: np.ndarray, wide: np.ndarray) -> bool:
    """Tell whether there is a shadow: dark on even paper, and paper where the light is followed in wide windows.

    Args:
        even: (h, w) float32, what is absorbed on even paper.
        wide: The same in the widest window.
    """
    shade = (even > SHADE) & (even < LIGHTER * darkest(even))  # thick strokes at the edges are darker
    return bool((shade & (wide < FAINTEST)).mean() > LEAST_SHADE)


def is_cropped(absorbed: np.ndarray) -> bool:
    """Tell whether a picture is cut to its ink, which reaches three edges or four and none of them all along.

    No straight shadow does that.

    Args:
        absorbed: (h, w) float32, on even paper, without rules.
    """
    pieces = pieces_of(without_sides(absorbed > DEPTHS[0] * darkest(absorbed)))
    mask = pieces.mask(np.maximum(pieces.heights, pieces.widths) >= 2.0 * LEAST_SIZE * max(absorbed.shape))
    down, across = (int(np.ceil(EDGE * side)) for side in mask.shape)  # edges of strokes are faint
    edges = (
        mask[:down].any(axis=0),
        mask[-down:].any(axis=0),
        mask[:, :across].any(axis=1),
        mask[:, -across:].any(axis=1),
    )
    shares = np.array([edge.mean() for edge in edges])
    return bool(((shares > 0.0) & (shares <= MOST_OF_EDGE)).sum() >= 3) or _is_close_cut(absorbed)


def _is_close_cut(absorbed: np.ndarray) -> bool:
    """Tell whether a picture on even paper ends about where its one mark does.

    Of its edges two at least are reached, if by faint ink alone.

    Args:
        absorbed: (h, w) float32, on even paper, without rules.
    """
    if (absorbed <= 0.0).mean() < EVEN_GROUND:
        return False
    pieces = pieces_of(absorbed > DEPTHS[0] * darkest(absorbed))
    if not len(pieces):
        return False
    box = pieces.boxes[np.argmax(pieces.heights * pieces.widths)]
    for axis, side in enumerate(absorbed.shape):
        most = min(CUT_MARGIN[1] * max(absorbed.shape), CUT_MARGIN[2] * side)
        if max(box[axis], side - box[axis + 2]) > max(CUT_MARGIN[0], most):
            return False
    faint = absorbed > FAINTEST
    shares = np.array([edge.mean() for edge in (faint[0], faint[-1], faint[:, 0], faint[:, -1])])
    partly = (shares > 0.0) & (shares <= MOST_OF_EDGE)
    return bool(partly.sum() >= 3 or (partly.sum() == 2 and (shares <= MOST_OF_EDGE).all()))
