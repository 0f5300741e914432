"""Tell strokes from other marks: boxes around a digit, specks, a neighbour's rest."""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.components import Pieces
from lenet_gpu.ink.forms import are_boxes
from lenet_gpu.ink.windows import greatest

SPECK = 0.08
"""Size of a speck, as a share of the digit's, at most."""

NEAR = 0.25
"""Gap between parts of a digit, as a share of its size, at most."""

PALE = 0.6
"""Darkness of a stroke, as a share of others', at least."""


def free_pieces(pieces: Pieces, sides: np.ndarray) -> np.ndarray:
    """Tell which pieces touch no edge of the picture and are no box around something.

    Args:
        pieces: Of the ink.
        sides: (h, w) bool, what was taken for a frame or a strip: where it ends, so does the picture.

    Returns:
        (n,) bool.
    """
    height, width = pieces.shape
    boxes = pieces.boxes
    inside = (boxes[:, 0] > 0) & (boxes[:, 1] > 0) & (boxes[:, 2] < height) & (boxes[:, 3] < width)
    if sides.any():
        inside &= pieces.sums(greatest(sides, 5)) == 0.0
    return inside & ~are_boxes(pieces)


def prominence(pieces: Pieces, ink: np.ndarray) -> np.ndarray:
    """Measure how much each piece stands out: its size, less where others are darker.

    What is left of a printed line may be longer than a digit, but is paler.

    Args:
        pieces: Of the ink.
        ink: (h, w) float32.

    Returns:
        (n,) float64, pixels.
    """
    sizes = np.maximum(pieces.heights, pieces.widths).astype(np.float64)
    darkness = pieces.sums(ink) / np.maximum(pieces.areas, 1)
    large = sizes >= 0.25 * sizes.max(initial=0.0)
    return sizes * np.minimum(darkness / max(float(darkness[large].max(initial=0.0)), 1e-6), 1.0) ** 2


def as_dark(pieces: Pieces, ink: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Tell which pieces are about as dark as some: printed lines and shadows' edges are paler than strokes.

    Args:
        pieces: Of the ink.
        ink: (h, w) float32.
        like: (n,) bool, the pieces to compare with.

    Returns:
        (n,) bool.
    """
    darkness = pieces.sums(ink) / np.maximum(pieces.areas, 1)
    return darkness >= PALE * np.median(darkness[like]) if like.any() else like


def digit_pieces(pieces: Pieces, ink: np.ndarray, sides: np.ndarray, free: bool) -> np.ndarray:
    """Choose the pieces of the digit: the greatest mark, and what is near it and no speck.

    Args:
        pieces: Of the ink.
        ink: (h, w) float32.
        sides: (h, w) bool, what was taken for a frame or a strip.
        free: Whether marks stand free; if not, what touches the edges counts too.

    Returns:
        (n,) bool.
    """
    chosen = np.zeros(len(pieces), dtype=bool)
    if not len(pieces):
        return chosen
    sizes = np.maximum(pieces.heights, pieces.widths)
    may_be = free_pieces(pieces, sides) if free else np.ones(len(pieces), dtype=bool)
    if not may_be.any():
        may_be[:] = True
    main = int(np.argmax(np.where(may_be, prominence(pieces, ink) + 1e-3 * np.sqrt(pieces.areas), 0.0)))
    size = float(sizes[main])
    chosen[main] = True
    may_be &= (sizes > SPECK * size) & as_dark(pieces, ink, chosen)
    box = pieces.boxes[main].copy()
    while True:
        gaps = np.maximum(pieces.boxes[:, :2] - box[2:], box[:2] - pieces.boxes[:, 2:]).max(axis=1)
        near = may_be & ~chosen & (gaps <= NEAR * size)
        if not near.any():
            return chosen
        chosen |= near
        box[:2] = np.minimum(box[:2], pieces.boxes[near, :2].min(axis=0))
        box[2:] = np.maximum(box[2:], pieces.boxes[near, 2:].max(axis=0))
