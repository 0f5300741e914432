"""Variants of a training set with thinner and thicker strokes, by grey-scale erosion and dilation."""

from __future__ import annotations

import numpy as np


def stroke_width_variants(images: np.ndarray, stroke_widths: tuple[float, ...]) -> np.ndarray:
    """Return a training set as thinner and thicker pens would have written it.

    A stroke grows where every pixel takes the largest value found h pixels to its left, right, above or below, or
    at itself (grey-scale dilation), and shrinks where it takes the smallest (erosion). Between pixels the image is
    read bilinearly, (1 - h) * pixel + h * neighbour: so the largest is a blend of the pixel with its largest
    neighbour, and strokes move by fractions of a pixel.

    Args:
        images: (n, 28, 28) uint8.
        stroke_widths: Pixels by which either side of a stroke moves, -1 ... 1; see
            `lenet_gpu.augment.augmentation.Augmentation`.

    Returns:
        (V, n, 28, 28) uint8, one training set for each of the V widths.
    """
    variants = np.empty((len(stroke_widths), *images.shape), dtype=np.uint8)
    for variant, width in zip(variants, stroke_widths, strict=True):
        if width == 0:
            variant[...] = images
        for start in range(0, len(images) if width else 0, 4096):  # bounds the memory of what is in between
            chunk = images[start : start + 4096]
            neighbour = _extreme_neighbour(chunk, np.maximum if width > 0 else np.minimum)
            blend = (1 - abs(width)) * chunk.astype(np.float32) + abs(width) * neighbour
            variant[start : start + 4096] = np.rint(blend)
    return variants


def _extreme_neighbour(images: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Return the largest or smallest of each pixel and its four neighbours; beyond the image is background."""
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    found = images.copy()
    for rows, columns in ((slice(2, None), slice(1, -1)), (slice(-2), slice(1, -1))):
        extreme(found, framed[:, rows, columns], out=found)  # below, above
        extreme(found, framed[:, columns, rows], out=found)  # right, left
    return found
