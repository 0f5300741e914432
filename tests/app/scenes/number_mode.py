"""A number: its digits are read, and looked at one by one."""

from acting import box, draw, key, tap


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
    while app.presenter.reader.busy:
        yield 0.02
    yield 0.05
    seen["number"] = [session.reading.answer.big, len(view.answer.chips), page_width > 0]
    seen["newest"] = session.reading.chosen
    tap(view.answer.chips[0])
    yield 0.05
    seen["chosen"] = [session.reading.chosen, view.answer.chips[0].chosen, view.answer.chips[1].chosen]
    key("escape")
    app.keys.go(None)
    key("right")
    seen["chosen_by_key"] = session.reading.chosen

    # ---- a long number: the newest digit is in sight, whichever it is
    key("delete")
    strip, seen["in_sight"] = view.answer.ids.strip, []
    for count in range(1, 11):
        x = 0.04 + 0.092 * (count - 1)
        draw(page, [(x, 0.4), (x, 0.5), (x, 0.6)])
        yield 0.05  # a reading is asked for at the end of a frame
        while app.presenter.reader.busy:
            yield 0.02
        yield 0.1
        chip = view.answer.chips[session.reading.chosen]
        left, right = box(strip)[0], box(strip)[2]
        seen["in_sight"].append(left - 1 <= box(chip)[0] and box(chip)[2] <= right + 1)
    seen["long"] = session.reading.answer.big
    seen["wider"] = len(view.answer.chips) * chip.width > strip.width
    return seen
