"""The teacher's mode as a class sees it: keys and fingers, faint strokes, frames, all the way down to the picture."""

import numpy as np
from acting import box, key, place, tap, touch_at
from pixels import Camera, at

from app.widgets.look import look


def near(color, wanted):
    return max(abs(a - 255 * b) for a, b in zip(color, wanted[:3], strict=True)) < 40


def scene(app):
    view, session, seen, camera = app.view, app.session, {}, Camera()
    full = []
    view.fill = full.append
    page, inside, lesson = view.page, view.panes["inside"], view.panes["lesson"]
    yield 0.2
    key("f3")
    yield 0.1
    tap(inside.lecture)
    yield 0.1
    seen["in"] = [view.lecture, view.pane, [one for one in view.tabs if view.tabs[one].parent], full]
    seen["tools"] = [name for name, one in view.tools.items() if one.parent]
    key("pagedown")
    key("pagedown")
    yield 0.1
    seen["step"] = [lesson.place.say, view.answer.big, inside.maps["c1"].unit, lesson.back.disabled]
    tap(lesson.on)
    yield 0.1
    seen["tapped_on"] = lesson.place.say

    # ---- frames: on the page, and in the maps
    view.tabs["inside"].dispatch("on_release")
    app.commands.look_at("c1", (5, 15, 15))
    yield 0.1
    inside.scroll_y = 1.0
    yield 0.2
    yield from camera.shoot()
    sheet = inside.sheets["input"]
    step = sheet.drawn_size[0] / 32
    x0, y0 = sheet.to_window(*sheet.drawn_pos)
    # C1's unit in row 15, column 15 sees the rows and columns 15 to 19 of the 32.
    edge = [at(camera.picture, x0 + 15 * step + dx, y0 + (32 - 17.5) * step) for dx in (-2, -1, 0, 1, 2)]
    seen["frame"] = any(near(color, look.text) for color in edge) and any(near(color, look.surface) for color in edge)
    left, top, right, bottom = page.sight.box
    (px, py), (_, qy) = page.viewport.to_pixels((left, top)), page.viewport.to_pixels((right, bottom))
    seen["page_frame"] = any(near(at(camera.picture, px + dx, (py + qy) / 2), look.focus) for dx in (-2, -1, 0, 1, 2))

    # ---- without a stroke, by finger
    key("w")
    yield 0.05
    seen["hint"] = view.answer.note
    stroke = session.ink.strokes[0].points
    x, y = page.viewport.to_pixels(tuple(stroke[len(stroke) // 4]))
    from kivy.tests.common import UnitTestTouch

    touch = UnitTestTouch(x, y)
    touch.touch_down()
    touch.touch_move(x + 30, y)
    touch.touch_up()
    yield 0.2
    yield from camera.shoot()
    seen["without"] = [view.answer.big, view.answer.note, len(session.ink.strokes)]
    other = session.ink.strokes[1].points
    ox, oy = page.viewport.to_pixels(tuple(other[-8]))
    seen["faint"] = [near(at(camera.picture, x, y), look.line), near(at(camera.picture, ox, oy), look.text)]
    seen["thin"] = near(at(camera.picture, x + page.pen * 0.35, y + page.pen * 0.2), look.surface)
    key("w")
    yield 0.1
    seen["whole"] = [view.answer.big, view.answer.note]

    # ---- drawn again
    key("r")
    bigs = []
    while session.replaying:
        bigs.append(view.answer.big)
        yield 0.05
    yield 0.05
    seen["replayed"] = [len(bigs) > 10, view.answer.big, session.part is None]
    tap(view.tools["after"])
    yield 0.1
    part = session.part
    touch = touch_at(page, (0.2, 0.2))
    touch.touch_down()
    touch.touch_move(*place(page, (0.3, 0.3)))
    touch.touch_up()
    yield 0.1
    seen["drawn_on"] = [part is not None, session.part is None, len(session.ink.strokes)]
    key("z", "ctrl")
    yield 0.1

    # ---- from a digit down to the picture, by finger
    inside.bars.bars[4].dispatch("on_release")
    way = []
    for _ in range(7):
        for _ in range(60):  # a pane that scrolls waits whether a finger means to scroll
            yield 0.05
            low, high, top = box(inside)[1], box(inside)[3], box(inside.explained)[3]
            in_sight = low < top <= high + 1
            if in_sight and inside.explained.title and inside.explained.title not in [title for title, _ in way]:
                break
        way.append([inside.explained.title, in_sight])
        row = inside.explained.rows[0]
        if row.disabled:
            break
        inside.scroll_to(row, animate=False)
        yield 0.1
        tap(row)
    seen["way"] = way

    key("escape")
    yield 0.1
    seen["out"] = [view.lecture, full, [name for name, one in view.tools.items() if one.parent], view.answer.big]
    key("pagedown")
    key("r")
    seen["quiet"] = [session.replaying, view.lecture]
    seen["finite"] = bool(np.isfinite(session.ink.arrays()[0]).all())
    return seen
