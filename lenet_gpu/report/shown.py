"""The picture of what was read: boxes and readings drawn in, and below it what the network saw."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from lenet_gpu.paper import IMAGE_SIZE
from lenet_gpu.recognition.answers import NOT_READ, Page
from lenet_gpu.storage.atomic import write_atomically

LONGEST = 2000
"""Longer side of the picture that is written."""

READ, REFUSED = (0, 130, 60), (200, 30, 30)
"""Colours of the boxes of what was read, and of what was not."""


def write_shown(path: Path, gray: np.ndarray, page: Page) -> None:
    """Write a picture with its digits boxed, as PNG.

    Args:
        path: The file; its folder is made. A file of that name is replaced.
        gray: (h, w) uint8.
        page: What was read in it.

    Raises:
        InputError: It can't be written.
    """
    from PIL import Image, ImageDraw

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
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(file: IO[bytes]) -> None:
        sheet.save(file, "PNG")

    write_atomically(path, write)
