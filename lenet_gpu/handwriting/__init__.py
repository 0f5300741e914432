"""Handwriting from scratch as pen strokes: digits in the styles people use, capital letters, and non-digits.

A network that has only seen one country's census forms reads a barred seven or a slashed zero badly. Here are
templates of how people write, and chance that makes every drawing another: any number of labelled drawings.
"""

from lenet_gpu.handwriting.digits import STYLES, draw_digits
from lenet_gpu.handwriting.letters import LETTER_STYLES, draw_letters
from lenet_gpu.handwriting.nondigits import HELD_OUT_KINDS, KINDS, ROTATED, draw_nondigits
from lenet_gpu.handwriting.sheets import sheet

__all__ = [
    "HELD_OUT_KINDS",
    "KINDS",
    "LETTER_STYLES",
    "ROTATED",
    "STYLES",
    "draw_digits",
    "draw_letters",
    "draw_nondigits",
    "sheet",
]
