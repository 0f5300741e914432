"""Things around the ink: a picture that is read instead of it, outlines of a number's marks, what a unit sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from kivy.graphics import Color, InstructionGroup, Line, Rectangle
from kivy.graphics.texture import Texture
from kivy.metrics import dp

from ..ink import Box
from .look import look

if TYPE_CHECKING:
    from .canvas import InkCanvas

MOST_PIXELS = 1024
"""Longer side of a picture as it is shown; of a larger one every second, third ... pixel is shown."""


class Underlay(InstructionGroup):
    """Draws below the ink of a page.

    Args:
        page: The page; its place and its viewport say where.
    """

    def __init__(self, page: InkCanvas) -> None:
        super().__init__()
        self._page = page
        self._image: np.ndarray | None = None
        self._boxes: Sequence[Box] = ()
        self._chosen = 0

    def show_picture(self, image: np.ndarray | None) -> None:
        """Show a grey picture, (h, w) uint8, 255 is white; None takes it away."""
        self._image, self._boxes = image, ()
        self.redraw()

    def show_outlines(self, boxes: Sequence[Box], chosen: int) -> None:
        """Outline marks; boxes are in ink units, or in pixels of the picture that is shown."""
        if (boxes, chosen) != (self._boxes, self._chosen):
            self._boxes, self._chosen = boxes, chosen
            self.redraw()

    def redraw(self) -> None:
        """Draw everything anew."""
        self.clear()
        if self._image is not None:
            self._draw_picture(self._image)
        for index, box in enumerate(self._boxes):
            self._outline(box, index == self._chosen)

    def _draw_picture(self, picture: np.ndarray) -> None:
        step = -(-max(picture.shape) // MOST_PIXELS)  # a texture has its limit, and a screen few pixels
        image = np.repeat(picture[::-step, ::step, None], 3, axis=2)  # (h, w, 3), the last row first
        texture = Texture.create(size=image.shape[1::-1], colorfmt="rgb")
        texture.mag_filter = "nearest" if max(image.shape) < 100 else "linear"
        texture.blit_buffer(np.ascontiguousarray(image).tobytes(), colorfmt="rgb", bufferfmt="ubyte")
        left, bottom, scale = self._place(picture)
        height, width = picture.shape
        self.add(Color(1, 1, 1, 1))
        self.add(Rectangle(texture=texture, pos=(left, bottom), size=(width * scale, height * scale)))

    def _place(self, picture: np.ndarray) -> tuple[float, float, float]:
        """Left and lower edge of the picture on the screen, and screen pixels for one of its own."""
        page, (height, width) = self._page, picture.shape
        scale = max(min((page.width - dp(8)) / width, (page.height - dp(8)) / height), 1e-6)
        return page.center_x - width * scale / 2, page.center_y - height * scale / 2, scale

    def _outline(self, box: Box, chosen: bool) -> None:
        x0, y0, x1, y1 = box
        page, reach = self._page, dp(4)
        if self._image is None:
            (left, top), (right, bottom) = page.viewport.to_pixels((x0, y0)), page.viewport.to_pixels((x1, y1))
            reach += page.pen / 2
        else:
            x, y, scale = self._place(self._image)
            left, right = x + x0 * scale, x + x1 * scale
            top, bottom = y + (len(self._image) - y0) * scale, y + (len(self._image) - y1) * scale
        rectangle = (left - reach, bottom - reach, right - left + 2 * reach, top - bottom + 2 * reach, dp(6))
        width = dp(2.5 if chosen else 1.2)
        # Dark in light, or light in dark: seen on white paper and on a dark photograph, in whatever palette.
        for color, wide in ((look.surface, width + dp(1.5)), (look.accent if chosen else look.line, width)):
            self.add(Color(*color))
            self.add(Line(rounded_rectangle=rectangle, width=wide))


class Sight(InstructionGroup):
    """Frames what a unit of the network sees, above the ink of a page.

    Args:
        page: The page; its viewport says where.

    Attributes:
        box: The part of the page, in ink units, or None.
    """

    def __init__(self, page: InkCanvas) -> None:
        super().__init__()
        self._page = page
        self.box: Box | None = None

    def show(self, box: Box | None) -> None:
        """Frame a part of the page; None takes the frame away."""
        if box != self.box:
            self.box = box
            self.redraw()

    def redraw(self) -> None:
        """Draw everything anew."""
        self.clear()
        if self.box is None:
            return
        page, inset = self._page, dp(5)
        left, top = page.viewport.to_pixels(self.box[:2])
        right, bottom = page.viewport.to_pixels(self.box[2:])
        # What reaches beyond the page is framed along its edge: two lines alone would be no frame.
        left, right = max(left, page.x + inset), min(right, page.right - inset)
        bottom, top = max(bottom, page.y + inset), min(top, page.top - inset)
        # Dark in light, or light in dark: seen on paper and on ink.
        for color, width in ((look.surface, dp(3)), (look.focus, dp(1.5))):
            self.add(Color(*color))
            self.add(Line(rectangle=(left, bottom, right - left, top - bottom), width=width))
