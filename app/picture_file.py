"""Reading a picture's file: through Pillow where it is installed, else through Kivy's own image loader."""

from __future__ import annotations

import numpy as np

from lenet_gpu.errors import InputError

GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Share of red, green and blue in brightness (ITU-R BT.601)."""


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
    """Read a picture without Pillow; transparent parts count as white paper."""
    from kivy.core.image import Image

    try:
        data = Image.load(path, nocache=True, keep_data=True).image._data[0]
        channels = len(data.fmt)
        rows = np.frombuffer(data.data, dtype=np.uint8)
        # Some loaders pad a row to a whole number of words.
        rows = rows.reshape(data.height, -1)[:, : data.width * channels].reshape(data.height, data.width, channels)
    except Exception as error:  # whatever Kivy's many loaders raise on a damaged file
        raise InputError(path, found=str(error) or "no picture", expected="a PNG, JPEG or BMP file") from None
    pixels = rows.astype(np.float32)
    if data.fmt in ("bgr", "bgra"):
        pixels = np.concatenate([pixels[..., 2::-1], pixels[..., 3:]], axis=2)
    if channels >= 3:
        grey = pixels[..., :3] @ GREY  # (h, w)
    else:
        grey = pixels[..., 0]
    if channels in (2, 4):
        share = pixels[..., -1] / 255.0
        grey = grey * share + 255.0 * (1.0 - share)
    return np.rint(grey).astype(np.uint8)
