"""The digits as people write them around the world: templates as data.

Weights say how common a style is. Look-alikes are kept apart the way writers keep them apart: a 1 has an acute,
falling flag and a stem that stays upright, a 7 has a level top; a 4 has corners or an open top, a 9 a round loop;
a 0 closes, or nearly so; a 6 keeps a stem well above its loop.
"""

from __future__ import annotations

from lenet_gpu.handwriting import glyphs_0_to_4, glyphs_5_to_9
from lenet_gpu.handwriting.templates import Template, read_templates

WIDEST = 1.3
"""Digits are not written wider than this share of their height."""

STYLES: dict[int, tuple[Template, ...]] = {
    digit: read_templates(text, str(digit), WIDEST)
    for digit, text in (glyphs_0_to_4.TEXTS | glyphs_5_to_9.TEXTS).items()
}
"""For each digit the ways to write it; names begin with the digit."""
