"""Image files to greyscale arrays: the one reader of pictures, for prediction and for data sets alike.

Nothing a file claims is believed before it is compared with the limits: a small file that claims billions of
pixels is refused before anything is allocated for them. Pillow and libtiff stay silent; whatever is wrong with a
file is told in one line.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.ink.grayscale import to_gray
from lenet_gpu.ink.preprocess import MAX_PIXELS
from lenet_gpu.input_files import kind_of, unreadable

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_BYTES = 4 * MAX_PIXELS + (1 << 20)
"""Length of a file beyond which it is not even opened: four bytes for each pixel there may be, and a header."""

FORMATS = (
    *("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "AVIF", "JPEG2000", "ICO", "ICNS", "DIB"),
    *("PCX", "DDS", "SGI", "PSD", "QOI", "IM", "MSP", "SPIDER", "XBM", "XPM", "TGA"),
)
"""Pillow's formats that are read, each where the installed Pillow has it. Not EPS and WMF, which are programs."""

EXPECTED = "an image file (PNG, JPEG, TIFF, BMP, GIF, WebP ...)"
AGAIN = "restore the file, or save the image again as PNG or JPEG"

UNREADABLE: tuple[tuple[bytes, str, str], ...] = (
    (rb"%PDF", "a PDF document", "export its page as PNG or JPEG"),
    (rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", "a HEIC photograph", "save it as JPEG or PNG"),
    (rb"....ftypavi[fs]", "an AVIF image, which this Pillow can't read", "save it as JPEG or PNG"),
    (rb"(\xff\x0a|....JXL )", "a JPEG XL image", "save it as JPEG or PNG"),
    (rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>]*>|\s)*<svg", "an SVG drawing", "export it as PNG"),
    (rb"(%!PS|\xc5\xd0\xd3\xc6)", "a PostScript file", "export it as PNG"),
    (rb"....ftyp", "a video", "save one frame of it as PNG"),
    (rb"PK\x03\x04", "a zip archive or an office document", "unpack it, or export the picture as PNG"),
    (rb"\x1f\x8b", "gzip data", "unpack it"),
)
"""Files that people take for pictures: their first bytes, their name, and the remedy."""

WARNINGS_BY_THREAD = bool(getattr(sys.flags, "context_aware_warnings", False))
"""True where each thread has filters of warnings of its own, as in free-threaded Python from 3.14."""


def read_gray(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image file.

    Args:
        path: PNG, JPEG, TIFF, BMP, GIF, WebP or another of `FORMATS`; the first frame if it is animated.
        max_pixels: Larger pictures are refused before they are decoded.

    Returns:
        (h, w) uint8 greyscale: turned upright by its EXIF orientation, transparent pixels on a ground that the
        ink stands out from, more than 8 bits scaled by the range they use (see `lenet_gpu.ink.grayscale`).

    Raises:
        InputError: No such file, not a picture, too large, or damaged.
    """
    try:
        found = os.stat(path)
        kind = kind_of(found.st_mode)
        if kind is not None:
            raise InputError(path, found=kind, expected=EXPECTED, remedy="name an image file")
        if found.st_size == 0:
            raise InputError(path, found="an empty file", expected=EXPECTED, remedy=AGAIN)
        if found.st_size > MAX_BYTES:
            raise InputError(
                path,
                found=f"a file of {found.st_size:,} bytes",
                expected=f"at most {MAX_BYTES:,}",
                remedy="shrink the image, or save it as JPEG",
            )
        with open(path, "rb") as file:
            return decode_gray(file, path, max_pixels=max_pixels)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        raise unreadable(path, error, EXPECTED) from None


def decode_gray(file: IO[bytes], name: object, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture from an open file (see `read_gray`).

    Args:
        file: A seekable binary file, at its start.
        name: Its name in messages.
        max_pixels: Larger pictures are refused before they are decoded.

    Returns:
        (h, w) uint8.

    Raises:
        InputError: Not a picture, too large, or damaged.
    """
    from PIL import Image, UnidentifiedImageError

    start = file.read(512)
    file.seek(0)
    try:
        with _quiet.reading(max_pixels), _open(file) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise Image.DecompressionBombError
            return to_gray(image, name)
    except InputError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise InputError(
            name,
            found="too many pixels",
            expected=f"at most {max_pixels:,}",
            remedy="shrink it, or cut out the digit",
        ) from None
    except UnidentifiedImageError:
        found, remedy = _what_it_is(start)
        raise InputError(name, found=found, expected=EXPECTED, remedy=remedy) from None
    except MemoryError:
        raise InputError(
            name, found="more pixels than fit the memory", expected="a smaller image", remedy="shrink it"
        ) from None
    except Exception as error:  # a damaged file fails in many ways: OSError, SyntaxError, struct.error, KeyError ...
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(name, found=f"a damaged image ({reason})", expected="a whole one", remedy=AGAIN) from None


def _open(file: IO[bytes]) -> ImageFile:
    """Open a picture of one of `FORMATS`: of the common ones first, for loading all others takes Pillow a while."""
    from PIL import Image, UnidentifiedImageError

    Image.preinit()
    try:
        return Image.open(file, formats=[known for known in FORMATS if known in Image.OPEN])
    except UnidentifiedImageError:
        Image.init()
        file.seek(0)
        return Image.open(file, formats=[known for known in FORMATS if known in Image.OPEN])


def _what_it_is(start: bytes) -> tuple[str, str]:
    """Tell what a file is that is no picture, by its first bytes, and what to do about it."""
    for pattern, found, remedy in UNREADABLE:
        if re.match(pattern, start, re.DOTALL):
            return found, remedy
    return "not an image", "name an image file, or save it as PNG or JPEG"


class _Quiet:
    """Keeps Pillow and libtiff off standard error, and binds even pictures inside files to the limit.

    Some formats hold a whole picture of another size than the file's header says (ICO, ICNS): Pillow compares
    those with its global limit, which is this one meanwhile. All of that is global to the process: the first of the
    threads that read pictures at once sets it and the last puts it back. One with another limit waits till then.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = self._limit = 0
        self._before = contextlib.ExitStack()

    @contextlib.contextmanager
    def reading(self, max_pixels: int) -> Iterator[None]:
        """Be one of the readers.

        Args:
            max_pixels: Pixels of a picture at most.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._readers or self._limit == max_pixels)
            if not self._readers:
                with contextlib.ExitStack() as undo:
                    _silence(undo, max_pixels)
                    self._before, self._limit = undo.pop_all(), max_pixels
            self._readers += 1
        try:
            with warnings.catch_warnings() if WARNINGS_BY_THREAD else contextlib.nullcontext():
                if WARNINGS_BY_THREAD:
                    _filter_warnings()
                yield
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers:
                    self._before.close()
                    self._changed.notify_all()


_quiet = _Quiet()


def _silence(undo: contextlib.ExitStack, max_pixels: int) -> None:
    """Silence Pillow and libtiff, and set the limit; `undo` receives how to undo it."""
    from PIL import Image

    if not WARNINGS_BY_THREAD:
        undo.enter_context(warnings.catch_warnings())
        _filter_warnings()
    undo.enter_context(_silent_libtiff())
    undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = max_pixels
    logger, nowhere = logging.getLogger("PIL"), logging.NullHandler()
    logger.addHandler(nowhere)  # without any handler Python prints on standard error
    undo.callback(logger.removeHandler, nowhere)


def _filter_warnings() -> None:
    """Ignore remarks on odd but readable files; too many pixels are an error."""
    from PIL import Image

    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


@contextlib.contextmanager
def _silent_libtiff() -> Iterator[None]:
    """Take libtiff's error printer away; Pillow raises what is wrong anyway.

    libtiff prints from C, past `sys.stderr`. Its function is looked up among the libraries that Pillow has loaded;
    where it can't be found (Windows), libtiff prints.
    """
    from PIL import Image

    try:
        library = ctypes.CDLL(Image.core.__file__)
        replace = library.TIFFSetErrorHandler
        replace.restype, replace.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    except (OSError, AttributeError):
        yield
        return
    before = replace(None)
    try:
        yield
    finally:
        replace(before)
