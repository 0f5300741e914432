"""Handwriting from scratch: digits in the styles people use, and drawings that are no digit, as pen strokes.

A network that has only seen one country's census forms reads a barred seven or a slashed zero badly. Here are
templates of how people write, and chance that makes every drawing another: any number of labelled drawings.
"""

from lenet_gpu.handwriting.digits import draw_digits
from lenet_gpu.handwriting.glyphs import STYLES
from lenet_gpu.handwriting.nondigits import HELD_OUT_KINDS, KINDS, TURNED, draw_nondigits
from lenet_gpu.handwriting.sheets import sheet

__all__ = ["HELD_OUT_KINDS", "KINDS", "STYLES", "TURNED", "draw_digits", "draw_nondigits", "sheet"]
