"""Layout of the window, as plain arithmetic: from 320x480 dp to a desktop, either way up.

Three shapes: `compact` (one thing at a time under tabs), `stacked` (canvas above, pane below), `wide` (side by side,
and on a large screen the bars beside the pane). Rectangles never overlap and lie within the window.
"""

from __future__ import annotations

from dataclasses import dataclass

TARGET = 48.0
"""Least side of anything to touch, dp."""

Rect = tuple[float, float, float, float]
"""x, y (from below, as Kivy counts), width, height; dp."""


@dataclass(frozen=True)
class Plan:
    """A layout of the window.

    Attributes:
        shape: "compact", "stacked" or "wide".
        rects: Rectangle of each visible part: canvas, tools, answer, tabs, pane, bars or maps.
        tabs: Names of the tabs, in order.
    """

    shape: str
    rects: dict[str, Rect]
    tabs: tuple[str, ...]


LECTURE = ("inside", "lesson", "leave")
"""Tabs of the teacher's mode."""


def plan(width: float, height: float, text_scale: float, left_handed: bool, pane: str, lecture: bool = False) -> Plan:
    """Lay the window out.

    Args:
        width: dp.
        height: dp.
        text_scale: 1 for text of ordinary size.
        left_handed: The canvas of the wide shape lies at the left instead of the right.
        pane: The chosen tab: "draw", "answer", "inside", "teach" or "more", in a lecture "lesson".
        lecture: The teacher's mode: the network has the room that the bars and the settings have else.

    Returns:
        The plan; "draw" is a tab of its own only in the compact shape.
    """
    width, height = max(width, 4 * TARGET), max(height, 5 * TARGET)
    row = max(TARGET, min(40.0 * text_scale, 0.12 * height))
    gap = 8.0 if min(width, height) >= 400 else 4.0
    build = _wide if width >= 1.25 * height else _tall
    return build(width, height, row, gap, min(text_scale, 1.6), left_handed, pane, lecture)


def _tall(
    width: float, height: float, row: float, gap: float, scale: float, left_handed: bool, pane: str, lecture: bool
) -> Plan:
    answer = max(78.0, min(max(78.0 * scale, height * 0.11), 140.0, height * 0.2))
    room = height - answer - 2 * row - 5 * gap
    inner = width - 2 * gap
    rects: dict[str, Rect] = {}
    top = height - gap - answer
    rects["answer"] = (gap, top, inner, answer)
    rects["tabs"] = (gap, gap, inner, row)
    below = gap + row + gap
    # The pane needs 276 dp for ten bars of 48 in two columns and a line above them, the canvas 204: or they take
    # turns.
    need = 276.0 + 20.0 * scale
    if room >= need + 204.0:
        canvas = min(room - need, inner * 1.15)
        pane_height = room - canvas
        rects["pane"] = (gap, below, inner, pane_height)
        tools_y = below + pane_height + gap
        rects["tools"] = (gap, tools_y, inner, row)
        rects["canvas"] = (gap, tools_y + row + gap, inner, top - gap - (tools_y + row + gap))
        return Plan("stacked", rects, LECTURE if lecture else ("answer", "inside", "teach", "more"))
    tabs = ("draw", *LECTURE) if lecture else ("draw", "answer", "inside", "teach", "more")
    if pane == "draw" or pane not in tabs:
        rects["tools"] = (gap, below, inner, row)
        rects["canvas"] = (gap, below + row + gap, inner, top - gap - (below + row + gap))
    else:
        rects["pane"] = (gap, below, inner, top - gap - below)
    return Plan("compact", rects, tabs)


def _wide(
    width: float, height: float, row: float, gap: float, scale: float, left_handed: bool, pane: str, lecture: bool
) -> Plan:
    inner = height - 2 * gap
    three = width >= 1100.0 * scale and height >= 520.0
    side = min(inner - row - gap, width * (0.44 if three else 0.58))
    # Five tools of 48 dp with four gaps lie under it.
    canvas_width = max(side, width * (0.40 if three else 0.46), 5 * TARGET + 4 * 4.0)
    if three and lecture:
        canvas_width = width * 0.28
    rest = width - canvas_width - 3 * gap
    # The canvas lies under the hand that draws, so that the arm never hides the answer.
    if left_handed:
        here, there = gap, gap + canvas_width + gap
    else:
        here, there = width - gap - canvas_width, gap
    rects: dict[str, Rect] = {
        "tools": (here, gap, canvas_width, row),
        "canvas": (here, gap + row + gap, canvas_width, inner - row - gap),
    }
    answer = max(78.0, min(max(78.0 * scale, height * 0.16), 140.0, height * 0.25))
    if three:
        bars = max(rest * 0.42, 280.0)
        pane_width = rest - bars - gap
        # The bars lie next to the canvas.
        bars_x, pane_x = (there, there + bars + gap) if left_handed else (there + pane_width + gap, there)
        rects["answer"] = (bars_x, height - gap - answer, bars, answer)
        rects["bars"] = (bars_x, gap, bars, inner - answer - gap)
        rects["tabs"] = (pane_x, height - gap - row, pane_width, row)
        rects["pane"] = (pane_x, gap, pane_width, inner - row - gap)
        if not lecture:
            return Plan("wide", rects, ("inside", "teach", "more"))
        # The network has the outer column for itself; tabs and pane take the place of the bars.
        rects["maps"] = (pane_x, gap, pane_width, inner)
        rects["tabs"] = (bars_x, height - 2 * gap - answer - row, bars, row)
        rects["pane"] = (bars_x, gap, bars, inner - answer - row - 2 * gap)
        del rects["bars"]
        return Plan("wide", rects, ("lesson", "answer", "leave"))
    rects["answer"] = (there, height - gap - answer, rest, answer)
    rects["tabs"] = (there, height - 2 * gap - answer - row, rest, row)
    rects["pane"] = (there, gap, rest, inner - answer - row - 2 * gap)
    return Plan("wide", rects, LECTURE if lecture else ("answer", "inside", "teach", "more"))
