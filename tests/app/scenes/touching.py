"""Fingers on the mock GL: strokes, the canvas's edge, undo, eraser and clear."""

import sys

from acting import ONE, draw, place, tap, touch_at


def scene(app):
    view, session, seen = app.view, app.session, {}
    page, ink = app.view.page, app.session.ink
    yield 0.1
    loaded = {name.split(".")[0] for name in sys.modules}
    seen["heavy"] = sorted(loaded & {"cupy", "matplotlib", "tqdm"})
    seen["blank"] = [view.answer.big, view.answer.line, view.bars.bars[3].number]
    # ---- fingers
    draw(page, ONE)
    yield 0.05
    seen["one"] = [view.answer.big, session.reading.answer.kind, len(ink.strokes), len(ink.strokes[0].points)]
    seen["bars"] = [sum(bar.share for bar in view.bars.bars), [bar.best for bar in view.bars.bars].index(True)]
    seen["image_ink"] = int(view.answer.ids.seen.image.sum())
    first, second = touch_at(page, (0.2, 0.2)), touch_at(page, (0.8, 0.2))
    first.touch_down()
    second.touch_down()
    for step in range(1, 6):
        first.touch_move(*place(page, (0.2, 0.2 + step / 10)))
        second.touch_move(*place(page, (0.8, 0.2 + step / 10)))
    seen["live"] = len(ink.live)
    first.touch_up()
    second.touch_up()
    seen["two_fingers"] = [[len(s.points), float(s.points[:, 0].mean())] for s in ink.strokes[1:]]

    # ---- leaving the canvas and coming back
    leaving = touch_at(page, (0.5, 0.5))
    leaving.touch_down()
    leaving.touch_move(*place(page, (1.5, 0.5)))
    leaving.touch_move(*place(page, (1.5, 0.7)))
    leaving.touch_move(*place(page, (0.5, 0.7)))
    leaving.touch_up()
    box = page.viewport.box
    seen["clipped"] = [len(ink.strokes), max(float(s.points[:, 0].max()) for s in ink.strokes) <= box[2] + 1e-6]
    outside = touch_at(view.tab_row, (0.5, 0.5))
    outside.touch_down()
    outside.touch_move(*place(page, (0.5, 0.5)))
    outside.touch_up()
    seen["from_outside"] = len(ink.strokes)

    # ---- undo, redo, erase, clear, by touch
    yield 0.05
    tap(view.tools["undo"])
    seen["undo"] = len(ink.strokes)
    tap(view.tools["redo"])
    seen["redo"] = len(ink.strokes)
    tap(view.tools["undo"])
    tap(view.tools["erase"])
    tap(page, (0.2, 0.4))
    seen["erased"] = [len(ink.strokes), [round(float(s.points[:, 0].mean()), 2) for s in ink.strokes]]
    tap(view.tools["erase"])
    tap(view.tools["clear"])
    yield 0.05
    seen["clear"] = [ink.empty, session.reading.answer.kind, view.answer.big]
    tap(view.tools["undo"])
    seen["clear_undone"] = len(ink.strokes)
    tap(view.tools["clear"])
    return seen
