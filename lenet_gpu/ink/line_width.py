"""Bring lines that are much thinner or thicker than handwriting's to the width that it has.

A digit drawn with a line of a hundredth of its height all but vanishes in 28x28 pixels, and what is left is broken;
one drawn with a line of a quarter fills its own loops. Their shape is that of the same digit drawn with an ordinary
pen, so they are drawn again: thin lines as all that is within half a pen's width of them, thick ones as what is left
when their edges are moved inwards. Lines of ordinary width stay as they are.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.components import pieces_of

THINNEST, THICKEST = 1.25, 4.3
"""Widths, in pixels of a digit of 20, between which a line stays: those of 98 in 100 of MNIST's digits."""

WIDTH, SOFTNESS = 2.3, 1.1
"""The pen that lines outside of them are drawn with, which is the one for strokes."""

BOX = 20
"""Longer side of the digit in the pixels that widths are told in."""

DRAWN = 100
"""Longer side of the picture that lines are drawn again in."""

SOLID = 0.4
"""Share of a line's darkness that is still the line."""


def line_width(ink: np.ndarray) -> float:
    """Measure how wide lines are: twice their area for their outline's length (Crofton's formula for two directions).

    Args:
        ink: (h, w) float32, share of ink in each pixel.

    Returns:
        Pixels; 0 where there is no ink.
    """
    solid = ink > SOLID * _full(ink)
    framed = np.pad(solid, 1)
    crossings = np.count_nonzero(framed[1:] != framed[:-1]) + np.count_nonzero(framed[:, 1:] != framed[:, :-1])
    if not crossings:
        return 0.0
    area = float(np.minimum(ink / _full(ink), 1.0)[framed[1:-1, 1:-1]].sum())
    return 2.0 * area / (crossings * np.pi / 4.0)


def with_usual_lines(ink: np.ndarray) -> np.ndarray:
    """Draw a digit again if its lines are too thin or too thick.

    Args:
        ink: (h, w) float32, share of ink in each pixel, the digit alone and cropped.

    Returns:
        (h2, w2) float32, cropped or with a margin: the same array if its lines are of ordinary width.
    """
    longer = max(ink.shape)
    if longer <= BOX:
        return ink
    wide = line_width(ink) * BOX / longer
    if wide == 0.0 or THINNEST <= wide <= THICKEST:
        return ink
    drawn = _reduced(ink, -(-longer // DRAWN))
    unit = max(drawn.shape) / BOX  # pixels of it for one of the digit's 20
    if wide < THINNEST:
        return _thickened(drawn, 0.5 * max(WIDTH * unit - line_width(drawn), 0.0), SOFTNESS * unit)
    return _thinned(drawn, 0.5 * (line_width(drawn) - WIDTH * unit))


def _thickened(ink: np.ndarray, radius: float, softness: float) -> np.ndarray:
    """Draw all within a radius of lines, with a soft edge."""
    reach = int(np.ceil(radius + softness / 2.0))
    solid = np.pad(ink > SOLID * _full(ink), reach)
    height, width = solid.shape
    drawn = np.zeros(solid.shape, dtype=np.uint8)
    level = solid.astype(np.uint8)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            share = np.clip(0.5 + (radius - np.hypot(y, x)) / softness, 0.0, 1.0)
            value = np.uint8(round(255.0 * float(share)))
            if value:
                to = np.s_[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
                source = np.s_[max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
                np.maximum(drawn[to], level[source] * value, out=drawn[to])
    return drawn.astype(np.float32) / np.float32(255.0)


def _thinned(ink: np.ndarray, depth: float) -> np.ndarray:
    """Move the edges of lines inwards, by less where that would part or lose them."""
    framed = np.pad(np.minimum(ink / _full(ink), 1.0), 1)
    before = len(pieces_of(framed > SOLID))
    for share in (1.0, 0.75, 0.5, 0.25):
        thin = _eroded(framed, share * depth)
        if len(pieces_of(thin > SOLID)) == before:
            return thin
    return framed


def _eroded(ink: np.ndarray, depth: float) -> np.ndarray:
    """Keep of each pixel the least ink within a distance."""
    reach = int(np.ceil(depth))
    height, width = ink.shape
    left = ink.copy()
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            away = float(np.hypot(y, x))
            if 0.0 < away < depth + 1.0:
                to = np.s_[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
                source = np.s_[max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
                faded = ink[source] + np.float32(max(away - depth, 0.0))  # the last pixel counts in part
                np.minimum(left[to], faded, out=left[to])
    return left


def _reduced(ink: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of pixels."""
    if factor == 1:
        return ink
    height, width = (-(-side // factor) * factor for side in ink.shape)
    padded = np.pad(ink, ((0, height - ink.shape[0]), (0, width - ink.shape[1])))
    return padded.reshape(height // factor, factor, width // factor, factor).mean(axis=(1, 3))


def _full(ink: np.ndarray) -> np.float32:
    """Return the darkness of a line's middle: that of the darker half of all ink."""
    there = ink[ink > 0.1 * ink.max(initial=0.0)]
    return np.float32(max(float(np.quantile(there, 0.8)), 1e-6)) if there.size else np.float32(1.0)
