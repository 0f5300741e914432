"""Reading a picture's file: through Pillow where it is installed, else through Kivy's own image loader."""

from __future__ import annotations

import struct

import numpy as np

from lenet_gpu.errors import InputError

GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Share of red, green and blue in brightness (ITU-R BT.601)."""

STRIP = 64
"""Rows that are turned to grey at a time."""

UPRIGHT = ((1, 1), (1, -1), (-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1), (-1, 1))
"""Steps through rows and columns by orientation; from the fifth on those of the transposed picture."""


def load_greyscale(path: str) -> np.ndarray:
    """Read a picture.

    Args:
        path: PNG, JPEG, BMP or whatever the loader reads.

    Returns:
        (h, w) uint8 greyscale.

    Raises:
        InputError: Not a picture, or no such file.
    """
    try:
        from lenet_gpu.ink.image_files import read_gray

        return read_gray(path)
    except ImportError:
        return load_with_kivy(path)


def load_with_kivy(path: str) -> np.ndarray:
    """Read a picture without Pillow; transparent parts count as white paper, and a photograph is turned upright."""
    from kivy.core.image import Image

    try:
        data = Image.load(path, nocache=True, keep_data=True).image._data[0]
        channels = len(data.fmt)
        rows = np.frombuffer(data.data, dtype=np.uint8)
        # Some loaders pad a row to a whole number of words.
        rows = rows.reshape(data.height, -1)[:, : data.width * channels].reshape(data.height, data.width, channels)
        gray = np.empty(rows.shape[:2], np.uint8)
        for top in range(0, len(rows), STRIP):  # floats of 12 million pixels at once would fill a phone
            gray[top : top + STRIP] = _gray(rows[top : top + STRIP], data.fmt)
        return upright(gray, orientation(path))
    except Exception as error:  # whatever Kivy's many loaders raise on a damaged file
        raise InputError(path, found=str(error) or "no picture", expected="a PNG, JPEG or BMP file") from None


def _gray(rows: np.ndarray, fmt: str) -> np.ndarray:
    """Turn (h, w, channels) uint8 of a format of Kivy's into (h, w) uint8."""
    pixels = rows.astype(np.float32)
    if fmt in ("bgr", "bgra"):
        pixels = np.concatenate([pixels[..., 2::-1], pixels[..., 3:]], axis=2)
    grey = pixels[..., :3] @ GREY if len(fmt) >= 3 else pixels[..., 0]  # (h, w)
    if len(fmt) in (2, 4):
        share = pixels[..., -1] / 255.0
        grey = grey * share + 255.0 * (1.0 - share)
    return np.asarray(np.rint(grey), dtype=np.uint8)


def orientation(path: str) -> int:
    """Find how a camera was held: the orientation in a JPEG file's Exif data (CIPA DC-008, tag 274).

    Args:
        path: The file.

    Returns:
        1 (upright) to 8; 1 for other files, and where nothing is said.
    """
    try:
        with open(path, "rb") as file:
            if file.read(2) != b"\xff\xd8":
                return 1
            while True:
                mark, kind, length = struct.unpack(">BBH", file.read(4))
                if mark != 0xFF or kind == 0xDA:  # the picture itself begins
                    return 1
                segment = file.read(length - 2)
                if kind == 0xE1 and segment.startswith(b"Exif\0\0"):
                    return _exif_orientation(segment[6:])
    except (OSError, struct.error, ValueError):
        return 1


def _exif_orientation(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, first)
    for i in range(count):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * i)
        if tag == 274:
            return value if 1 <= value <= 8 else 1
    return 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture upright.

    Args:
        pixels: (h, w).
        orientation: As `orientation` returns it.

    Returns:
        (h, w), or (w, h) from 5 on.
    """
    turned = pixels.T if orientation >= 5 else pixels
    down, right = UPRIGHT[orientation - 1]
    return np.ascontiguousarray(turned[::down, ::right])
