"""Tell a minus, a decimal point and a comma from digits by size and place: in pictures and in pen strokes."""

from __future__ import annotations

import numpy as np

TALL = 0.5
"""Height of a digit, as a share of the others', at least: what is lower is a sign, a part or a speck."""

DASH = 2.2
"""Width of a minus, in heights of itself, at least."""

DOT = 0.15
"""Size of a point, as a share of a digit's height, at most: what is longer is a comma."""


def sign_at(box: np.ndarray, boxes: np.ndarray, height: float) -> str:
    """Say what sign a mark is.

    Args:
        box: (4,) its left, top, right, bottom; y down.
        boxes: (n, 4) of all marks of the line, of this one too or not.
        height: Of the line's digits, in the same unit.

    Returns:
        "-", "." or ","; empty for all else.
    """
    left, top, right, bottom = box
    high, wide = bottom - top, right - left
    tall = boxes[boxes[:, 3] - boxes[:, 1] >= TALL * height]
    if high >= TALL * height or not len(tall):
        return ""
    near = tall[np.argmin(abs(tall[:, 0] + tall[:, 2] - left - right))]
    middle = ((top + bottom) / 2 - near[1]) / (near[3] - near[1])
    apart = max(near[0], left) - min(near[2], right)
    if wide >= DASH * high and wide > 0.2 * height and 0.25 < middle < 0.8 and apart > 0:
        return "-"
    if wide <= 0.3 * height and high <= 0.45 * height and middle > 0.75 and apart > -0.1 * height:
        long = max(high, wide) > DOT * height
        return "," if long and (high > 1.5 * wide or top >= near[3]) else "."
    return ""
