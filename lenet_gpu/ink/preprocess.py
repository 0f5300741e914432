"""The one definition of the network's input: from any picture of a digit to 28x28 the MNIST way.

MNIST digits are light on dark, scaled to fit a 20x20 box with their aspect kept, and shifted so that their
centre of mass is the centre of the 28x28 field (LeCun et al. 1998, section III.A). A picture brought into
this form reads the same wherever in the picture the digit was, and whatever its size and polarity.
NumPy alone, so that a phone can run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lenet_gpu.array_checks import check_gray_values
from lenet_gpu.errors import InputError
from lenet_gpu.ink.find_ink import Ink, find_ink
from lenet_gpu.ink.marks import digit_pieces
from lenet_gpu.ink.normal_form import BOX, corner, ink_to_mnist
from lenet_gpu.ink.raster import Drawings, Pen, draw, fit
from lenet_gpu.ink.windows import greatest
from lenet_gpu.paper import IMAGE_SIZE

REACH = 0.15
"""Greatest distance of faint ink from all strong ink, as a share of its size."""

DEFAULT_PEN = Pen()
"""The pen that strokes are drawn with: lines as wide and edges as soft as those of MNIST's digits."""

STROKES = "a list of strokes, each (n, 2): x right, y down"

MOST_POINTS = 200_000
"""Points of the strokes of a drawing; a pen gives some 200 a second."""

MOST_COORDINATE = 1e100
"""Greatest magnitude of a coordinate, far from where squares leave the range of floating-point numbers."""

MAX_PIXELS = 60_000_000
"""Larger pictures are refused: to read one of this size takes under a GiB of memory."""


def image_to_mnist(image: Any) -> np.ndarray:
    """Bring a greyscale picture of one digit into MNIST's form.

    Args:
        image: (h, w), uint8, or float in 0..1; dark on light or light on dark; any size, the digit anywhere.

    Returns:
        (28, 28) uint8, ink 255 on background 0; all 0 for a blank picture. A digit already in MNIST's form
        comes back unchanged up to its contrast.

    Raises:
        InputError: Not a greyscale picture.
    """
    found = find_ink(_check(image))
    return ink_to_mnist(only_digit(found))


def only_digit(found: Ink) -> np.ndarray:
    """Keep the ink of the one digit in a picture: of its greatest free mark and of what is near it.

    Args:
        found: The ink of the picture.

    Returns:
        (h, w) float32, 0 elsewhere.
    """
    return only_pieces(found, digit_pieces(found.pieces, found.ink, found.sides, found.free))


def only_pieces(found: Ink, chosen: np.ndarray) -> np.ndarray:
    """Keep the ink of some pieces, their faint edges included.

    A stroke's faint edges lie within REACH of the digit's size, which leaves MNIST's digits as they are.

    Args:
        found: The ink of the picture.
        chosen: (n,) bool, of the pieces.

    Returns:
        (h, w) float32, 0 elsewhere.
    """
    kept = np.zeros_like(found.ink)
    if not chosen.any():
        return kept
    boxes = found.pieces.boxes[chosen]
    top, left = (int(side) for side in boxes[:, :2].min(axis=0))
    bottom, right = (int(side) for side in boxes[:, 2:].max(axis=0))
    margin = 2 + int(REACH * max(bottom - top, right - left))
    near = np.s_[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
    kept[near] = found.ink[near]
    if not chosen.all():
        others = greatest(found.pieces.mask(~chosen)[near], 3) & ~found.pieces.mask(chosen)[near]
        kept[near] = np.where(others, np.float32(0.0), kept[near])
    return kept


def strokes_to_mnist(strokes: Any, pen: Pen = DEFAULT_PEN) -> np.ndarray:
    """Bring one digit's pen strokes into MNIST's form.

    Args:
        strokes: List of (n, 2) arrays or lists of numbers, x right and y down; any unit, position and size. How
            densely the pen was sampled along its way does not matter. A single point is a dot.
        pen: The pen it is drawn with.

    Returns:
        (28, 28) uint8, ink 255 on background 0; all 0 if there is no point at all.

    Raises:
        InputError: Not strokes, or a coordinate that is not a finite number.
    """
    return drawings_to_mnist([strokes], pen)[0]


def drawings_to_mnist(drawings: Drawings | Sequence[Any], pens: Pen | np.ndarray = DEFAULT_PEN) -> np.ndarray:
    """Bring many digits' pen strokes into MNIST's form at once (see `strokes_to_mnist`).

    Args:
        drawings: n times the strokes of one digit, or the same flat.
        pens: One pen for all, or (n, 2) the width and softness of each digit's.

    Returns:
        (n, 28, 28) uint8.

    Raises:
        InputError: Not strokes, or a coordinate that is not a finite number, or not pens.
    """
    if not isinstance(drawings, Drawings):
        listed = [check_strokes(strokes) for strokes in drawings]
        drawn = np.array([len(strokes) > 0 for strokes in listed], dtype=bool)
        flat = flatten([strokes for strokes in listed if strokes])
    else:
        drawn, flat = np.ones(len(drawings), dtype=bool), drawings
    every_pen = _check_pens(pens, len(drawn))[drawn]
    fields = np.zeros((len(drawn), IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    if not drawn.any():
        return fields
    ink = _ink(flat, every_pen)
    ink *= np.float32(255.0) / ink.max(axis=(1, 2), keepdims=True)  # full ink somewhere, as in a picture
    top, left = (corner(ink.sum(axis=2 - axis, dtype=np.float64)) for axis in (0, 1))  # (m,) each
    rows, columns = (corner[:, None] + np.arange(BOX) for corner in (top, left))  # (m, BOX) each
    fields[np.flatnonzero(drawn)[:, None, None], rows[:, :, None], columns[:, None, :]] = np.rint(ink).astype(
        np.uint8
    )
    return fields


class Placement(NamedTuple):
    """The place of a drawing in its 28x28 field: pixels = scale x point + (x, y).

    Attributes:
        scale: Pixels for one unit of the drawing; 0 for a dot.
        x: Column of the drawing's origin, from the field's left edge.
        y: Row of it, from the upper edge.
    """

    scale: float
    x: float
    y: float


def place_strokes(strokes: Any, pen: Pen = DEFAULT_PEN) -> Placement:
    """Find where in its field `strokes_to_mnist` puts a drawing.

    Args:
        strokes: List of (n, 2) arrays or lists of numbers, x right and y down, with a point at least.
        pen: The pen it is drawn with.

    Returns:
        The place.

    Raises:
        InputError: Not strokes, none at all, or a coordinate that is not a finite number.
    """
    checked = check_strokes(strokes)
    if not checked:
        raise InputError("strokes", found="none", expected=STROKES)
    flat, pens = flatten([checked]), _check_pens(pen, 1)
    ink = _ink(flat, pens)
    (scale,), (middle,) = fit(flat, pens, BOX)
    top, left = (float(corner(ink.sum(axis=2 - axis, dtype=np.float64))[0]) for axis in (0, 1))
    return Placement(
        float(scale), left + BOX / 2 - float(scale * middle[0]), top + BOX / 2 - float(scale * middle[1])
    )


def check_strokes(strokes: Any) -> list[np.ndarray]:
    """Bring pen strokes into one form.

    Args:
        strokes: List of (n, 2) arrays or lists of numbers.

    Returns:
        The strokes that have a point, as (n, 2) float64.

    Raises:
        InputError: Something else, more than `MOST_POINTS`, or a coordinate that is not a finite number or is beyond
            `MOST_COORDINATE`.
    """
    if isinstance(strokes, (str, bytes, dict)) or not hasattr(strokes, "__len__"):
        raise InputError("strokes", found=type(strokes).__name__, expected=STROKES)
    checked = []
    count = 0
    for k, stroke in enumerate(strokes):
        try:
            points = np.asarray(stroke)
            if points.dtype.kind not in "iuf" and points.size:
                raise ValueError
        except (ValueError, TypeError):
            raise InputError(f"stroke {k}", found="something else than pairs of numbers", expected=STROKES) from None
        if points.size == 0:
            continue
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(f"stroke {k}", found=f"shape {points.shape}", expected=STROKES)
        if not np.isfinite(points).all():
            raise InputError(f"stroke {k}", found="a coordinate that is not finite", expected=STROKES)
        points = points.astype(np.float64)
        if not (abs(points) <= MOST_COORDINATE).all():
            found = f"a coordinate beyond {MOST_COORDINATE:g}"
            raise InputError(f"stroke {k}", found=found, expected="a drawing", remedy="scale the drawing down")
        count += len(points)
        if count > MOST_POINTS:
            raise InputError(
                "strokes",
                found=f"more than {MOST_POINTS:,} points",
                expected="at most that",
                remedy="draw with fewer points, or read a part at a time",
            )
        checked.append(points)
    return checked


def flatten(drawings: Sequence[Sequence[np.ndarray]]) -> Drawings:
    """Put drawings into flat arrays.

    Args:
        drawings: The checked strokes of each; each has one at least.
    """
    strokes = [stroke for drawing in drawings for stroke in drawing]
    return Drawings(
        np.concatenate(strokes) if strokes else np.zeros((0, 2)),
        np.cumsum([0, *map(len, strokes)]),
        np.cumsum([0, *map(len, drawings)]),
    )


def _ink(flat: Drawings, pens: np.ndarray) -> np.ndarray:
    """Draw digits as large as the box, (m, BOX, BOX) float32, each with some ink at least.

    Raises:
        InputError: A pen so thin and sharp that its line lies between the points at which ink is measured.
    """
    ink = draw(flat, pens, BOX, BOX)
    blank = ~(ink.max(axis=(1, 2)) > 0.0)
    if blank.any():
        width, softness = pens[blank][0]
        raise InputError(
            "pen", found=f"width {width:g} and softness {softness:g}, which leaves no ink", expected="a wider one"
        )
    return ink


def _check_pens(pens: Pen | np.ndarray, n: int) -> np.ndarray:
    array = np.asarray(pens, dtype=np.float64)
    if array.shape not in ((2,), (n, 2)):
        raise InputError("pen", found=f"shape {array.shape}", expected="width and softness")
    if not ((array > 0.0) & (array <= BOX)).all():
        raise InputError(
            "pen", found=f"{array.min():g} to {array.max():g}", expected=f"above 0, at most {BOX} pixels"
        )
    return np.broadcast_to(array, (n, 2))


def _check(image: Any) -> np.ndarray:
    array = np.asarray(image)
    if array.ndim != 2 or not array.size:
        raise InputError("image", found=f"shape {array.shape}", expected="greyscale (height, width)")
    if array.size > MAX_PIXELS:
        raise InputError("image", found=f"{array.size:,} pixels", expected=f"at most {MAX_PIXELS:,}")
    if array.dtype != bool:
        check_gray_values(array, "image")
    return array if array.dtype == np.uint8 else np.rint(array.astype(np.float32) * 255.0).astype(np.uint8)
