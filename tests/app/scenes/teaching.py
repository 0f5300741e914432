"""Teaching by tapping a bar and by keys, forgetting, and nothing to teach."""

from acting import SEVEN, draw, key, tap


def scene(app):
    view, commands, session, seen = app.view, app.commands, app.session, {}
    page = app.view.page
    yield 0.1
    key("f2")
    draw(page, SEVEN)
    yield 0.05
    read = session.reading.prediction.digit
    tap(view.bars.bars[4])
    yield 0.05
    sample = list(session.samples)[-1]
    seen["taught"] = [sample.label, sample.predicted == read, len(sample.strokes), view.answer.note]
    key("9")
    seen["taught_by_key"] = [len(session.samples), list(session.samples)[-1].label]
    commands.open_pane("teach")
    yield 0.1
    tap(view.panes["teach"].forget)
    yield 0.1
    seen["forgotten"] = [len(session.samples), view.panes["teach"].count.say]
    tap(view.tools["clear"])
    commands.teach(3)
    seen["nothing_to_teach"] = [len(session.samples), view.answer.note]
    return seen
