"""Image files to arrays, through Pillow."""

from __future__ import annotations

import os
import warnings

import numpy as np

from lenet_gpu.errors import InputError


def read_greyscale(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file.

    Args:
        path: PNG, JPEG, BMP or whatever else Pillow reads.

    Returns:
        (h, w) uint8 greyscale, turned upright by its EXIF orientation; transparent parts become white, or
        black where what is drawn is light.

    Raises:
        InputError: No such file, or not an image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    remedy = "name a PNG, JPEG or BMP file"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                image = ImageOps.exif_transpose(file)
                if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                    return _flatten(image.convert("LA"))
                if image.mode.startswith("I;16") or image.mode in ("I", "F"):
                    return _from_wide(np.asarray(image, dtype=np.float64))
                return np.asarray(image.convert("L"))
    except FileNotFoundError:
        raise InputError(path, found="no such file", expected="an image file", remedy="check the path") from None
    except IsADirectoryError:
        raise InputError(path, found="a folder", expected="an image file", remedy=remedy) from None
    except UnidentifiedImageError:
        raise InputError(path, found="not an image", expected="an image file", remedy=remedy) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise InputError(
            path, found="too many pixels", expected="a picture of one digit", remedy="shrink it"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow raises on damaged files
        raise InputError(path, found=f"a damaged image ({error})", expected="an image file", remedy=remedy) from None


def _flatten(image: object) -> np.ndarray:
    """Put a drawing with transparency on the background it stands out from."""
    grey, alpha = np.moveaxis(np.asarray(image, dtype=np.float32), 2, 0)  # (h, w) each
    alpha /= 255.0
    if alpha.mean() > 0.5:  # a sheet with holes or rounded corners, which are of its own colour
        paper = float(np.median(grey[alpha > 0.5]))
    else:
        drawn = (grey * alpha).sum() / max(float(alpha.sum()), 1e-6)
        paper = 255.0 if drawn < 128.0 else 0.0
    return np.rint(grey * alpha + paper * (1.0 - alpha)).astype(np.uint8)


def _from_wide(values: np.ndarray) -> np.ndarray:
    """Bring 16-bit and float pictures to 0..255 by their own range."""
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255.0 / max(high - low, 1e-6))).astype(np.uint8)
