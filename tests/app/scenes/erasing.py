"""The eraser: a mouse and a finger tap where strokes cross, and sweep over them."""

from acting import draw, place, tap, touch_at
from kivy.core.window import Window

CROSSING = [[(0.3, y), (0.5, 0.5), (0.7, 1 - y)] for y in (0.3, 0.5, 0.7)]


def click(page, share, slide=0):
    x, y = place(page, share)
    Window.dispatch("on_mouse_down", x, Window.height - y, "left", [])
    yield 0.05
    if slide:
        Window.dispatch("on_mouse_move", x + slide, Window.height - y, [])
    Window.dispatch("on_mouse_up", x + slide, Window.height - y, "left", [])
    yield 0.05


def scene(app):
    view, page, ink, seen = app.view, app.view.page, app.session.ink, {}
    yield 0.3

    def cross():
        ink.clear()
        page.sync()
        for stroke in CROSSING:
            draw(page, stroke)

    cross()
    tap(view.tools["erase"])
    counts = seen["taps"] = []
    for _ in range(3):
        tap(page)
        counts.append(len(ink.strokes))
    tap(view.tools["erase"])
    cross()
    tap(view.tools["erase"])
    counts = seen["clicks"] = []
    for slide in (0, 4, 4):
        yield from click(page, (0.5, 0.5), slide)
        counts.append(len(ink.strokes))

    tap(view.tools["erase"])
    for x in (0.2, 0.5, 0.8):
        draw(page, [(x, 0.3), (x, 0.7)])
    tap(view.tools["erase"])
    sweep = touch_at(page, (0.2, 0.5))
    sweep.touch_down()
    for step in range(1, 13):
        sweep.touch_move(*place(page, (0.2 + step * 0.05, 0.5)))
    sweep.touch_up()
    seen["swept"] = len(ink.strokes)

    tap(view.tools["clear"])
    draw(page, CROSSING[0])
    seen["drawn_after_clear"] = [len(ink.strokes), view.tools["erase"].chosen]
    return seen
