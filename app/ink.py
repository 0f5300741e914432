"""The drawing: strokes, their history, clipping and hit test. No Kivy here.

Ink units: the origin is the canvas's centre, x runs right, y runs down, and one unit is a share of the canvas that
`app.viewport.Viewport` decides. Ink keeps its units when the window is resized or turned; the viewport alone changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""left, top, right, bottom, in ink units."""

MAX_HISTORY = 500
"""Steps that can be taken back; a step holds references to strokes alone."""


def clip_segment(start: Point, end: Point, box: Box) -> tuple[Point, Point] | None:
    """Cut a segment to the part that lies in a box (Liang and Barsky 1984).

    Args:
        start: First end.
        end: Other end.
        box: left, top, right, bottom.

    Returns:
        Both ends of the part within, in the same direction; None where nothing lies within.
    """
    (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    first, last = 0.0, 1.0
    for step, room in ((-dx, x - box[0]), (dx, box[2] - x), (-dy, y - box[1]), (dy, box[3] - y)):
        if step == 0.0:
            if room < 0.0:
                return None
        elif step < 0.0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    if first > last:
        return None
    # The ends that need no cut stay as they were, to the last bit.
    begin = start if first == 0.0 else (x + first * dx, y + first * dy)
    finish = end if last == 1.0 else (x + last * dx, y + last * dy)
    return begin, finish


def inside(point: Point, box: Box) -> bool:
    """Return whether a point lies in a box, its border included."""
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


class Gesture:
    """One finger's way across the canvas, from touching to lifting: a stroke, or several where it left the canvas.

    Args:
        start: Where the finger came down, in ink units.
        box: The canvas; what lies outside is not drawn.

    Attributes:
        pieces: The strokes so far, lists of points.
    """

    def __init__(self, start: Point, box: Box) -> None:
        self.box = box
        self.pieces: list[list[Point]] = []
        self._last = start
        self._open = inside(start, box)
        if self._open:
            self.pieces.append([start])

    def add(self, point: Point) -> None:
        """Go on to a point; outside the canvas nothing is drawn, and coming back begins a new stroke."""
        if point == self._last:
            return
        clipped = clip_segment(self._last, point, self.box)
        self._last = point
        if clipped is None:
            self._open = False
            return
        begin, finish = clipped
        if not self._open:
            self.pieces.append([begin])
        if finish != self.pieces[-1][-1]:
            self.pieces[-1].append(finish)
        self._open = inside(point, self.box)

    @property
    def points(self) -> int:
        """Number of points of all pieces."""
        return sum(map(len, self.pieces))


class Stroke:
    """A finished stroke.

    Args:
        points: (n, 2), ink units, x right, y down.

    Attributes:
        points: (n, 2) float32, not to be changed.
    """

    __slots__ = ("points",)

    def __init__(self, points: Sequence[Point] | np.ndarray) -> None:
        self.points = np.array(points, dtype=np.float32).reshape(-1, 2)
        self.points.flags.writeable = False

    def distance(self, point: Point) -> float:
        """Compute the distance of a point from the stroke's line, in ink units."""
        ends = self.points.astype(np.float64)
        starts = ends[:-1] if len(ends) > 1 else ends
        along = (ends[1:] if len(ends) > 1 else ends) - starts  # (segments, 2)
        way = np.asarray(point) - starts
        length2 = np.maximum((along**2).sum(axis=1), 1e-30)
        share = np.clip((way * along).sum(axis=1) / length2, 0.0, 1.0)
        return float(np.sqrt(((way - share[:, None] * along) ** 2).sum(axis=1).min()))


State = tuple[Stroke, ...]


@dataclass
class Ink:
    """The strokes on the canvas and the way back to earlier ones.

    Attributes:
        strokes: The finished strokes, oldest first.
        live: The gestures of the fingers that are down, by the finger's key.
        version: Counts every change.
    """

    strokes: State = ()
    live: dict[object, Gesture] = field(default_factory=dict)
    version: int = 0
    _undo: list[State] = field(default_factory=list)
    _redo: list[State] = field(default_factory=list)

    # ---- drawing

    def begin(self, key: object, start: Point, box: Box) -> Gesture:
        """Begin a gesture: a finger comes down; `key` tells the fingers apart."""
        if key in self.live:
            self.finish(key)
        gesture = self.live[key] = Gesture(start, box)
        self.version += 1
        return gesture

    def extend(self, key: object, point: Point) -> None:
        """Go on with a gesture: a finger moves."""
        self.live[key].add(point)
        self.version += 1

    def finish(self, key: object) -> None:
        """End a gesture: its strokes become one step of the history."""
        gesture = self.live.pop(key, None)
        if gesture is not None and gesture.pieces:
            self._change((*self.strokes, *(Stroke(piece) for piece in gesture.pieces)))

    def finish_all(self) -> None:
        """Lift every finger."""
        for key in list(self.live):
            self.finish(key)

    def arrays(self) -> list[np.ndarray]:
        """Return all strokes, those being drawn last, as (n, 2) float32 arrays."""
        drawn = [stroke.points for stroke in self.strokes]
        live = (np.asarray(piece, dtype=np.float32) for gesture in self.live.values() for piece in gesture.pieces)
        return [*drawn, *live]

    @property
    def empty(self) -> bool:
        """True while nothing is drawn."""
        return not self.strokes and not any(gesture.pieces for gesture in self.live.values())

    # ---- changing

    def erase(self, stroke: Stroke) -> None:
        """Take one stroke away."""
        self._change(tuple(other for other in self.strokes if other is not stroke))

    def clear(self) -> None:
        """Take all strokes away, those being drawn included."""
        self.finish_all()
        if self.strokes:
            self._change(())

    def replace(self, strokes: Sequence[np.ndarray]) -> None:
        """Put other strokes in the place of all, as one step of the history."""
        self.finish_all()
        self._change(tuple(Stroke(points) for points in strokes))

    def undo(self) -> bool:
        """Take the last step back; says whether there was one."""
        return self._travel(self._undo, self._redo)

    def redo(self) -> bool:
        """Take the last undo back; says whether there was one."""
        return self._travel(self._redo, self._undo)

    @property
    def can_undo(self) -> bool:
        """True if there is a step to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """True if there is an undo to take back."""
        return bool(self._redo)

    def _change(self, strokes: State) -> None:
        self._undo.append(self.strokes)
        del self._undo[:-MAX_HISTORY]
        self._redo.clear()
        self.strokes = strokes
        self.version += 1

    def _travel(self, source: list[State], target: list[State]) -> bool:
        # Lifting first: a finger that still draws would otherwise end up in another past than it began in.
        self.finish_all()
        if not source:
            return False
        target.append(self.strokes)
        self.strokes = source.pop()
        self.version += 1
        return True

    def restore(self, strokes: Sequence[np.ndarray]) -> None:
        """Begin with strokes that were drawn another time: nothing to take back."""
        self.live.clear()
        self._undo.clear()
        self._redo.clear()
        self.strokes = tuple(Stroke(points) for points in strokes)
        self.version += 1

    # ---- asking

    def nearest(self, point: Point, reach: float) -> Stroke | None:
        """Find the stroke nearest to a point, the newer of two; None if none comes within `reach` (ink units)."""
        found, least = None, reach
        for stroke in self.strokes:
            distance = stroke.distance(point)
            if distance <= least:
                found, least = stroke, distance
        return found

    def bounds(self) -> Box | None:
        """Return the box around all ink; None on a blank canvas."""
        arrays = self.arrays()
        if not arrays:
            return None
        points = np.concatenate(arrays)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def __iter__(self) -> Iterator[Stroke]:
        return iter(self.strokes)
