"""The picture of what was read: boxes and readings drawn in, and below it what the network saw."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.paper import IMAGE_SIZE
from lenet_gpu.recognition.answers import NOT_READ, Page
from lenet_gpu.report.pictures import SOFTWARE, is_ours
from lenet_gpu.storage.atomic import output_file, write_atomically

LONGEST = 2000
"""Longer side of the picture that is written."""

READ, REFUSED = (0, 130, 60), (200, 30, 30)
"""Colours of the boxes of what was read, and of what was not."""


def write_shown(path: Path, gray: np.ndarray, page: Page, *, force: bool = False) -> None:
    """Write a picture with its digits boxed, as PNG.

    Args:
        path: The file; its folder is made. An earlier picture of ours is replaced.
        gray: (h, w) uint8.
        page: What was read in it.
        force: Whether any file of that name may be replaced.

    Raises:
        InputError: It can't be written, or another program's file has that name.
    """
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    _make_room(path, force=force)

    factor = -(-max(gray.shape) // LONGEST)
    picture = Image.fromarray(gray).reduce(factor).convert("RGB")
    marks = [mark for line in page.lines for mark in line.digits]
    side = 2 * IMAGE_SIZE
    in_a_row = max(1, picture.width // side)
    rows = -(-len(marks) // in_a_row)
    sheet = Image.new("RGB", (max(picture.width, side), picture.height + rows * (side + 14)), (255, 255, 255))
    sheet.paste(picture, (0, 0))
    pencil = ImageDraw.Draw(sheet)
    for k, mark in enumerate(marks):
        color = READ if mark.is_digit or mark.sign else REFUSED
        said = mark.sign or (str(mark.digit) if mark.is_digit else NOT_READ)
        left, top, right, bottom = (edge // factor for edge in mark.box)
        pencil.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=color, width=2)
        pencil.text((left, max(top - 14, 0)), said, fill=color)
        x, y = k % in_a_row * side, picture.height + k // in_a_row * (side + 14)
        sheet.paste(Image.fromarray(mark.image).resize((side, side), Image.Resampling.NEAREST), (x, y + 14))
        pencil.text((x + 2, y + 1), f"{said} {100 * mark.confidence:.0f} %", fill=color)
    origin = PngInfo()
    origin.add_text("Software", SOFTWARE)

    def write(file: IO[bytes]) -> None:
        sheet.save(file, "PNG", pnginfo=origin)

    write_atomically(path, write)


def _make_room(path: Path, *, force: bool) -> None:
    """Make the folder of a picture, and refuse to replace a file that is not ours."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            path.parent,
            found=(error.strerror or str(error)).lower(),
            expected="a folder to write to",
            remedy="name another folder with --show",
        ) from None
    if output_file(path).exists() and not force and not is_ours(path):
        raise InputError(
            path,
            found="a file that lenet-gpu did not draw",
            expected="a new name, or an earlier picture of ours",
            remedy="name another folder with --show, or give --force",
        )
