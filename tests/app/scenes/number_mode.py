"""A number: its digits are read, and looked at one by one."""

from acting import draw, key, tap


def scene(app):
    view, session, seen = app.view, app.session, {}
    page = app.view.page
    yield 0.1
    key("escape")
    key("n")
    page_width = page.viewport.box[2]
    for centre in (0.25, 0.7):
        draw(page, [(centre, 0.25), (centre, 0.4), (centre, 0.6), (centre, 0.75)])
    yield 0.1
    seen["number"] = [session.reading.answer.big, len(view.answer.chips), page_width > 0]
    seen["newest"] = session.reading.chosen
    tap(view.answer.chips[0])
    yield 0.05
    seen["chosen"] = [session.reading.chosen, view.answer.chips[0].chosen, view.answer.chips[1].chosen]
    key("escape")
    app.keys.go(None)
    key("right")
    seen["chosen_by_key"] = session.reading.chosen
    return seen
