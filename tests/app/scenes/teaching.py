"""A finger on a bar, on the buttons of a message, and keys: selecting, correcting, undoing, nothing to correct."""

from acting import SEVEN, draw, key, tap
from pixels import Camera


def part(picture, widget):
    left, bottom = widget.to_window(widget.x, widget.y)
    top = len(picture) - int(bottom + widget.height)
    return picture[top : top + int(widget.height), int(left) : int(left + widget.width)].astype(int)


def scene(app):
    view, commands, session, seen, camera = app.view, app.commands, app.session, {}, Camera()
    yield 0.1
    key("f2")
    draw(view.page, SEVEN)
    yield 0.1
    yield from camera.shoot()
    bar, before = view.bars.bars[4], part(camera.picture, view.bars.bars[4])
    tap(bar)
    yield 0.05
    yield from camera.shoot()
    seen["selected"] = [bar.selected, len(session.samples), view.answer.big, [b.say for b in view.answer.buttons]]
    seen["ring"] = int(abs(part(camera.picture, bar) - before).max())
    big = part(camera.picture, view.answer.ids.big)
    tap(view.answer.buttons[0])
    # Before the next frame: what a person sees at once.
    seen["at_once"] = [view.answer.big, session.reading.answer.big, [b.say for b in view.answer.buttons]]
    yield from camera.shoot()
    seen["painted"] = int(abs(part(camera.picture, view.answer.ids.big) - big).max())
    app.exchange.copy()
    seen["copied"] = view.answer.note
    commands.clear()
    commands.undo()
    yield 0.1
    seen["still"] = view.answer.big
    while session.tuning:
        yield 0.05
    yield 0.1
    seen["sample"] = [[s.label, s.predicted] for s in session.samples]
    commands.undo_correction()
    yield 0.05
    while session.tuning:
        yield 0.05
    yield 0.1
    seen["undone"] = [view.answer.big, len(session.samples), session.tuner.tuned]
    app.keys.go(None)
    key("9")
    seen["by_key"] = [len(session.samples), view.bars.bars[9].selected]
    key("enter")
    seen["confirmed"] = [view.answer.big, [s.label for s in session.samples]]
    while session.tuning:
        yield 0.05
    commands.open_pane("teach")
    yield 0.1
    tap(view.panes["teach"].forget)
    yield 0.1
    seen["forgotten"] = [len(session.samples), view.panes["teach"].count.say]
    tap(view.tools["clear"])
    commands.teach(3)
    seen["nothing_to_teach"] = [len(session.samples), view.answer.note]
    return seen
