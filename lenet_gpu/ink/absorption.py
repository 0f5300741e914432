"""The light that paper returns, and the share of it that ink absorbs, which no shadow changes."""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.windows import closed, smoothed

DEPTHS = (0.5, 0.25, 0.12)
"""Darkness of marks tried, as shares of the darkest ink's: ink may be fainter than what lies beside the sheet."""

MIN_CONTRAST = 12
"""Grey levels (of 255) between paper and ink, below which there is no ink."""

MOST_BIAS = 0.02
"""Distance of even paper's middle level from its lightest, without grain, at most."""

GRAIN = 5.0
"""Standard deviations of the paper's grain that still count as paper."""

PATTERN = 0.15
"""Darkness of a printed pattern, as a share of the picture's darkest, from which it might be taken for ink."""

DARKEST_FEW = 0.0003
"""Share of the pixels that are certainly ink's on printed paper."""

ABOVE_PATTERN, MOST_OF_INK = 1.3, 0.6
"""Darkness of marks on printed paper, as a multiple of the pattern's; and as a share of the ink's, at most."""

BLOCKS = 8
"""Parts along each side of a picture that a printed pattern is looked for in; three quarters of all must have it."""

EVEN = 0.6
"""Share of the paper at exactly its own level from which it is even, and the faintest edges of ink are real."""


def is_clean(picture: np.ndarray) -> bool:
    """Tell whether ink stands on perfectly even paper that surrounds it."""
    paper = picture[0, 0]
    edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    return all((edge == paper).all() for edge in edges) and bool((picture == paper).mean() > EVEN)


def paper_light(picture: np.ndarray, window: int) -> np.ndarray:
    """Estimate the light that paper returns, (h, w) uint8, at least 1."""
    # Smoothing takes grain down and softens the edges of shadows, so it is left where there is no grain.
    smooth = smoothed(picture) if min(picture.shape) > 40 and _has_grain(picture) else picture
    if window == 0:
        level = smooth.max()
        return np.full(picture.shape, max(int(level), 1), dtype=np.uint8)
    return np.maximum(closed(smooth, window), np.uint8(1))


def _has_grain(picture: np.ndarray) -> bool:
    """Tell whether most neighbours differ, (h, w) uint8."""
    return bool((picture[:, 1:] != picture[:, :-1]).mean() > 0.5)


def absorbed_share(picture: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Compute the share of the light that is absorbed, (h, w) float32; 0 for the paper's own middle level."""
    absorbed = np.float32(1.0) - picture.astype(np.float32) / paper
    # The greatest value in a window lies above the middle of grain by some standard deviations.
    low = absorbed[absorbed < 0.5 * darkest(absorbed)]
    bias = np.float32(np.median(low)) if low.size else np.float32(0.0)
    if bias > MOST_BIAS and paper[0, 0] == paper.max() == paper.min():  # on even paper it may be a shadow's level
        steps = np.median(np.abs(np.diff(picture.astype(np.int16), axis=1))) if picture.shape[1] > 1 else 0.0
        bias = np.minimum(bias, np.float32(MOST_BIAS + GRAIN * float(steps) / paper[0, 0]))
    if bias > 0.0:
        absorbed -= bias
    return np.maximum(absorbed, np.float32(0.0)) if low.size else absorbed


def noise_of(absorbed: np.ndarray) -> float:
    """Estimate the standard deviation of grain: of the paper's own values, or of neighbours' differences if less."""
    paper = absorbed[absorbed > 0.0]
    if paper.size < absorbed.size * 0.25:  # most of it lies at exactly the paper's level: there is no grain
        return 0.0
    if absorbed.shape[1] < 2:
        return 0.0
    across = np.abs(np.diff(absorbed, axis=1))
    return 1.4826 * min(float(np.median(paper)), float(np.median(across)))


def pattern_level(absorbed: np.ndarray) -> float:
    """Measure how dark a fine pattern is that is printed all over the paper, as on cheques.

    Args:
        absorbed: (h, w) float32.

    Returns:
        The darkness that 19 of 20 pixels of a part of the paper stay below, above the lightest third's; 0 where there
        is no pattern, or one much fainter than ink.
    """
    high, wide = (side // BLOCKS for side in absorbed.shape)
    if min(high, wide) < 12:
        return 0.0
    parts = absorbed[: high * BLOCKS, : wide * BLOCKS].reshape(BLOCKS, high, BLOCKS, wide)
    parts = parts.transpose(0, 2, 1, 3).reshape(BLOCKS**2, -1)[:, :: max(1, high * wide // 2000)]  # (parts, pixels)
    low, top = int(0.3 * parts.shape[1]), int(0.95 * parts.shape[1])
    ordered = np.partition(parts, (low, top), axis=1)
    level = float(np.quantile(ordered[:, top] - ordered[:, low], 0.25))
    return level if level > PATTERN * darkest(absorbed) else 0.0


def least_of_marks(absorbed: np.ndarray, depth: float, noise: float) -> float:
    """Compute the darkness from which a pixel is a mark's.

    Args:
        absorbed: (h, w) float32.
        depth: As a share of the darkest ink's.
        noise: Standard deviation of grain.
    """
    level = max(depth * darkest(absorbed), GRAIN * noise, MIN_CONTRAST / 255.0)
    pattern = pattern_level(absorbed)
    if pattern > 0.0:  # of which the darkest pixels may be, too, where the strokes are thin
        few = max(1, int(DARKEST_FEW * absorbed.size))
        ink = float(np.partition(absorbed.ravel(), absorbed.size - few)[absorbed.size - few])
        level = max(level, min(ABOVE_PATTERN * pattern, MOST_OF_INK * ink))
    return level


def darkest(absorbed: np.ndarray) -> float:
    """Return the darkness that all but 2 pixels of a thousand stay below."""
    if absorbed.size < 2000:
        return float(absorbed.max())
    return float(np.partition(absorbed.ravel(), int(0.998 * absorbed.size))[int(0.998 * absorbed.size)])
