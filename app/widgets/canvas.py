"""The page to draw on: fingers, pens, mice and the keyboard become ink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kivy.core.window import Window
from kivy.graphics import Color, InstructionGroup, Line
from kivy.metrics import dp
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.widget import Widget

from ..ink import Gesture, Ink, Stroke
from ..part import Part
from ..touch import start, take, to_window
from ..viewport import Viewport
from .look import look
from .tap import Stop
from .trace import Trace
from .underlay import Sight, Underlay

REACH = 24.0
"""Distance from a stroke at which a finger erases it, dp."""

JITTER = 10.0
"""Largest slide of a finger during a tap, dp: until then it erases one stroke, not those beneath."""

ERASED_AT = "lenet_erased_at"
"""Key of where an erasing finger came down, in `touch.ud`; None once it has moved on."""

STEP = 1 / 24
"""Step of the pen for an arrow key, in ink units."""

ARROWS = {"left": (-STEP, 0.0), "right": (STEP, 0.0), "up": (0.0, -STEP), "down": (0.0, STEP)}
KEYBOARD = "keyboard"
"""Key of the keyboard's own gesture."""


class InkCanvas(Stop, Widget):
    """Draws `ink` and lets people draw into it.

    Attributes:
        ink: The drawing.
        under: The picture that is read instead of ink, and the outlines of a number's marks.
        sight: The frame of what a unit sees.
        changed: Called after every change of the ink, many times a stroke.
        lifted: Called when the ink has come to rest: a finger lifted, an undo.
        picked: Called with the index of a stroke that is tapped while `asking`.
    """

    focused = BooleanProperty(False)
    erasing = BooleanProperty(False)
    asking = BooleanProperty(False)
    pen_width = NumericProperty(2.0)
    hint = StringProperty("")
    erase_hint = StringProperty("")

    def __init__(self, ink: Ink, **kwargs: Any) -> None:
        self.ink = ink
        self.changed: Callable[[], None] = lambda: None
        self.lifted: Callable[[], None] = lambda: None
        self.picked: Callable[[int], None] = lambda index: None
        self.viewport = Viewport.fit(0, 0, 1, 1, None)
        self.cursor = (0.0, 0.0)
        self._traces: dict[Stroke, Trace] = {}
        self._live: dict[object, list[Trace]] = {}
        self._touches: dict[object, Any] = {}
        self._part: Part | None = None
        self._group, self._cursor_group = InstructionGroup(), InstructionGroup()
        self.under, self.sight = Underlay(self), Sight(self)
        super().__init__(**kwargs)
        for group in (self.under, self._group, self.sight, self._cursor_group):
            self.canvas.add(group)
        self.bind(pos=self._place, size=self._place, focused=self._draw_cursor, pen_width=self.redraw)
        look.bind(version=self.redraw)
        self._place()

    # ---- what is seen

    @property
    def pen(self) -> float:
        """Width of the pen on the screen, pixels: the picture that the network sees is 28 wide."""
        return max(self.pen_width / 28.0 * min(self.width, self.height) * 0.9, dp(3))

    def _place(self, *_: Any) -> None:
        """Fit the ink to a canvas that has moved or turned; the ink keeps its units."""
        self.viewport = Viewport.fit(self.x, self.y, self.width, self.height, self.ink.bounds(), self.pen / 2)
        for gesture in self.ink.live.values():
            gesture.box = self.viewport.box
        self.redraw()

    def redraw(self, *_: Any) -> None:
        """Draw everything anew."""
        self._group.clear()
        self._traces.clear()
        self._live.clear()
        self.under.redraw()
        self.sight.redraw()
        self.sync()

    def sync(self) -> None:
        """Bring the lines on the screen in step with the ink: only what is new is drawn."""
        if self._part is not None:
            self._draw_part(self._part)
            return
        present = set(self.ink.strokes)
        for stroke in [stroke for stroke in self._traces if stroke not in present]:
            self._group.remove(self._traces.pop(stroke))
        for stroke in self.ink.strokes:
            if stroke not in self._traces:
                self._traces[stroke] = self._trace(self.viewport.points(stroke.points))
        for key in [key for key in self._live if key not in self.ink.live]:
            for trace in self._live.pop(key):
                self._group.remove(trace)
        for key, gesture in self.ink.live.items():
            self._sync_live(key, gesture)
        self._draw_cursor()

    def show_part(self, part: Part | None) -> None:
        """Show a part of the ink as what counts, the rest faintly; None shows all of it."""
        self._part = part
        self.redraw()

    def _draw_part(self, part: Part) -> None:
        self._group.clear()
        for strokes, color in ((part.faint, look.line), (part.kept, look.text)):
            for points in strokes:
                # What is faint is thinner, too: told by more than its colour.
                trace = Trace(self.pen if strokes is part.kept else self.pen / 3, color)
                trace.extend(self.viewport.points(points))
                self._group.add(trace)
        self._draw_cursor()

    def sync_replaced(self) -> None:
        """Bring the screen in step with ink that was replaced: a blank canvas takes its first scale again."""
        if self.ink.empty:
            self._place()
        self.sync()

    def _sync_live(self, key: object, gesture: Gesture) -> None:
        traces = self._live.setdefault(key, [])
        for index, piece in enumerate(gesture.pieces):
            if index == len(traces):
                traces.append(self._trace([]))
            elif index < len(gesture.pieces) - 1 and traces[index].drawn == len(piece):
                continue
            traces[index].extend([value for point in piece for value in self.viewport.to_pixels(point)])

    def _trace(self, flat: list[float]) -> Trace:
        trace = Trace(self.pen, look.text)
        trace.extend(flat)
        self._group.add(trace)
        return trace

    def _draw_cursor(self, *_: Any) -> None:
        self._cursor_group.clear()
        if not self.focused:
            return
        x, y = self.viewport.to_pixels(self.cursor)
        down = KEYBOARD in self.ink.live
        self._cursor_group.add(Color(*look.focus))
        self._cursor_group.add(Line(circle=(x, y, dp(5 if down else 10)), width=dp(2)))

    # ---- fingers, pens, mice

    def on_touch_down(self, touch: Any) -> bool:
        """Begin a stroke, or erase one, where a finger comes down."""
        if getattr(touch, "button", "left") not in ("left", None):
            return False
        first = to_window(touch, Window, *start(touch))
        if not self.collide_point(*first):
            return False
        if self.asking:
            self.pick_at(self.viewport.to_ink(*first))
            return True
        touch.grab(self)
        self._touches[touch.uid] = touch
        if self.erasing:
            touch.ud[ERASED_AT] = first
            self.erase_at(self.viewport.to_ink(*first))
            return True
        self.ink.begin(touch.uid, self.viewport.to_ink(*first), self.viewport.box)
        self._follow(touch)
        return True

    def on_touch_move(self, touch: Any) -> bool:
        """Follow a finger: every point that was reported counts."""
        if touch.grab_current is not self:
            return False
        self._follow(touch)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        """End the stroke of a lifted finger."""
        if touch.grab_current is not self:
            return False
        self._follow(touch)
        touch.ungrab(self)
        self._touches.pop(touch.uid, None)
        self.ink.finish(touch.uid)
        self.sync()
        self.lifted()
        return True

    def _follow(self, touch: Any) -> None:
        trail = [to_window(touch, Window, *place) for place in take(touch)]
        if ERASED_AT in touch.ud:
            self._erase_along(touch, trail)
            return
        if touch.uid not in self.ink.live:  # an undo has lifted this finger
            return
        for place in trail:
            self.ink.extend(touch.uid, self.viewport.to_ink(*place))
        self.sync()
        self.changed()

    def _erase_along(self, touch: Any, trail: list[tuple[float, float]]) -> None:
        for place in trail:
            first = touch.ud[ERASED_AT]
            if first is not None and max(abs(place[0] - first[0]), abs(place[1] - first[1])) <= dp(JITTER):
                continue
            touch.ud[ERASED_AT] = None
            self.erase_at(self.viewport.to_ink(*place))

    def erase_at(self, point: tuple[float, float]) -> None:
        """Erase the stroke at a place, if there is one."""
        stroke = self.ink.nearest(point, dp(REACH) / self.viewport.scale)
        if stroke is not None:
            self.ink.erase(stroke)
            self.sync()
            self.changed()

    def pick_at(self, point: tuple[float, float]) -> None:
        """Ask what is read without the stroke at a place, if there is one."""
        stroke = self.ink.nearest(point, dp(REACH) / self.viewport.scale)
        if stroke is not None:
            self.picked(next(i for i, one in enumerate(self.ink.strokes) if one is stroke))

    # ---- the keyboard

    def press_key(self, key: str) -> bool:
        """Move the pen with arrows; Space lowers and lifts it (or erases)."""
        if key in ARROWS:
            left, top, right, bottom = self.viewport.box
            dx, dy = ARROWS[key]
            self.cursor = (
                min(max(self.cursor[0] + dx, left), right),
                min(max(self.cursor[1] + dy, top), bottom),
            )
            if KEYBOARD in self.ink.live:
                self.ink.extend(KEYBOARD, self.cursor)
                self.changed()
            self.sync()
            return True
        if key not in ("spacebar", "enter", "numpadenter"):
            return False
        if self.asking:
            self.pick_at(self.cursor)
        elif self.erasing:
            self.erase_at(self.cursor)
        elif KEYBOARD in self.ink.live:
            self.ink.finish(KEYBOARD)
            self.sync()
            self.lifted()
        elif key == "spacebar":
            self.ink.begin(KEYBOARD, self.cursor, self.viewport.box)
            self.sync()
            self.changed()
        return True

    def lift_all(self) -> None:
        """Lift every finger: the window loses the focus, the app sleeps."""
        self.ink.finish_all()
        self._touches.clear()
        self.sync()
        self.lifted()
