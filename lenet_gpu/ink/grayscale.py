"""From a Pillow image of any mode to 8-bit greyscale: upright, opaque, and scaled by the range its values use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.ink.colors import LOOKED_AT, offset_of, weights_of

if TYPE_CHECKING:
    from PIL.Image import Image

RANGES = (255, 1023, 4095, 16383, 65535)
"""Greatest values of 8, 10, 12, 14 and 16 bits, which is what sensors deliver in files of 16 bits or more."""

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""

ROWS_AT_ONCE = 1024
"""Rows flattened at a time: bounds the memory that floating-point copies take."""

SHEET = 0.9
"""Share of the frame that is opaque from which a picture is a sheet of paper, whatever is on it."""

SHEET_CONTRAST = 96
"""Grey levels between the darkest and the lightest opaque pixel from which there may be ink on a sheet."""


def to_gray(image: Image, name: object = "image") -> np.ndarray:
    """Convert a Pillow image to 8-bit greyscale.

    Colours become brightness, or what tells ink from paper where that does not (see `lenet_gpu.ink.colors`).
    Transparency is flattened on the ground that the visible ink stands out from (see `flatten`). Values of more
    than 8 bits are scaled by the range they use (see `to_8_bits`).

    Args:
        image: Of any mode; the first frame if it is animated.
        name: Its name in messages.

    Returns:
        (h, w) uint8, upright.

    Raises:
        InputError: Its values are not finite.
        Exception: Whatever Pillow raises where the file behind the image is damaged.
    """
    image.load()
    orientation = _orientation(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        gray = to_8_bits(values, name)
        if isinstance(key := image.info.get("transparency"), int):  # PNG's one grey value that is transparent
            gray = flatten(gray, np.where(values == key, np.uint8(0), np.uint8(255)))
    elif image.mode == "LAB":  # Pillow converts it by colour profiles alone
        gray = np.asarray(image.getchannel("L"))
    elif "transparency" in image.info or image.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        gray = flatten(*np.moveaxis(np.asarray(image.convert("RGBA").convert("LA")), 2, 0))
    else:
        gray = np.asarray(image.convert("L", matrix=_matrix(image)) if image.mode == "RGB" else image.convert("L"))
    return np.ascontiguousarray(_upright(gray, orientation))


def _matrix(image: Image) -> tuple[float, float, float, float] | None:
    """Choose how an RGB picture becomes greyscale, as Pillow wants it; None for brightness (see `colors`)."""
    weights = weights_of(np.asarray(image.reduce(-(-max(image.size) // LOOKED_AT))))
    if weights is None:
        return None
    red, green, blue = (float(weight) for weight in weights)
    return red, green, blue, offset_of(weights) + 0.5


def to_8_bits(values: np.ndarray, name: object = "image") -> np.ndarray:
    """Scale grey values of any range to 0..255.

    The range is the smallest of `RANGES` that holds all values: files of 16 bits often hold the 10, 12 or 14 bits
    of a scanner's or a camera's sensor, unscaled, and no header says so. Scaled by 65,535, a 12-bit picture would
    use 16 of 256 levels and pass for blank. Stretched from its least value to its greatest, the noise of a
    blank page would become ink, and a picture of full range would change. Floating-point values of 0..1 are that
    share of full brightness. Values outside all of this, negative ones for example, leave only the stretch.

    Args:
        values: (h, w), integers or floating-point.
        name: Their name in messages.

    Returns:
        (h, w) uint8.

    Raises:
        InputError: NaN or infinity among them.
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            name, found="pixels that are NaN or infinite", expected="finite grey values", remedy="save it again"
        )
    ranges = (1, *RANGES) if values.dtype.kind == "f" else RANGES
    full = next((most for most in ranges if high <= most), None)
    if low < 0.0 or full is None:
        offset, scale = low, 255.0 / max(high - low, 1e-300)
    else:
        offset, scale = 0.0, 255.0 / full
    gray = np.empty(values.shape, dtype=np.uint8)
    for start in range(0, len(values), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        gray[rows] = np.rint((values[rows].astype(np.float64) - offset) * scale)
    return gray


def flatten(gray: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Put a picture with transparency on an opaque ground.

    A drawing (ink on nothing) goes on white if its ink is dark, on black if its ink is light: either way the ink
    stands out. A sheet of paper with rounded corners or holes goes on a ground of the paper's colour. The
    visible pixels decide which of the two it is: a sheet fills the frame; or it fills half of the box around it,
    most of it has one colour and something on it has another.

    Args:
        gray: (h, w) uint8.
        alpha: (h, w) uint8, 0 is transparent and 255 opaque.

    Returns:
        (h, w) uint8.
    """
    if alpha.min() == 255:
        return gray
    ground = _ground(gray, alpha)
    flat = np.empty(gray.shape, dtype=np.uint8)
    for start in range(0, len(gray), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        share = alpha[rows].astype(np.float32) / np.float32(255.0)
        flat[rows] = np.rint(gray[rows] * share + np.float32(ground) * (np.float32(1.0) - share))
    return flat


def _ground(gray: np.ndarray, alpha: np.ndarray) -> float:
    """Choose the grey level that transparent pixels get."""
    visible = alpha >= 128
    if visible.any():
        rows, columns = (np.flatnonzero(visible.any(axis=axis)) for axis in (1, 0))
        box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        count = int(np.count_nonzero(visible))
        levels = gray[visible]
        middle = float(np.median(levels))
        even = float((abs(levels - np.float32(middle)) < 32).mean())
        written_on = int(levels.max()) - int(levels.min()) > SHEET_CONTRAST and even > 0.6
        if count > SHEET * visible.size or (count > 0.5 * box and written_on):
            return middle
    total = int(alpha.sum(dtype=np.int64))
    if not total:
        return 255.0  # nothing is visible: blank paper
    ink = float(np.einsum("ij,ij->", gray, alpha, dtype=np.float64)) / total
    return 255.0 if ink < 128.0 else 0.0


def _orientation(image: Image) -> int:
    """Return the EXIF orientation, 1..8; 1 (upright) where there is none or it can't be read."""
    try:
        found: Any = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged EXIF block, which says nothing about the pixels
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _upright(gray: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror a picture by its EXIF orientation, 1..8 (JEITA CP-3451, table 6)."""
    turns = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    rotated = np.rot90(gray, turns)  # (h, w), or (w, h) for an odd number of quarter turns
    return rotated[:, ::-1] if orientation in (2, 4, 5, 7) else rotated
