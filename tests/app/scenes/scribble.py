"""A scribble of 300 strokes: readings go on beside it; the app's own share of a frame, and the newest answer."""

import time

import numpy as np
from acting import SEVEN, place, touch_at
from kivy.clock import Clock


def scene(app):
    view, session, page = app.view, app.session, app.view.page
    yield 0.2
    chance = np.random.default_rng(3)
    shares, readings = [], []
    settle, show = session.settle, app.presenter._settle
    session.settle = lambda job, found: readings.append(job.number) or settle(job, found)
    shown = []

    def show_timed(job, found):
        start = time.thread_time()
        show(job, found)
        Clock.tick_draw()
        shown.append(1e3 * (time.thread_time() - start))

    app.presenter._settle = show_timed
    for stroke in range(300):
        x, y = chance.uniform(0.1, 0.9, 2)
        start = time.thread_time()
        touch = touch_at(page, (x, y))
        touch.touch_down()
        for _ in range(6):
            x, y = np.clip(np.add((x, y), chance.normal(0, 0.03, 2)), 0.02, 0.98)
            touch.touch_move(*place(page, (x, y)))
        touch.touch_up()
        Clock.tick_draw()  # what is asked for before the frame: reading, if it were done here
        shares.append(1e3 * (time.thread_time() - start))
        if stroke % 20 == 0:
            yield 0.01
    view.tools["clear"].dispatch("on_release")
    touch = touch_at(page, SEVEN[0])
    touch.touch_down()
    for share in SEVEN[1:]:
        touch.touch_move(*place(page, share))
    touch.touch_up()
    yield 0.05
    soon = view.answer.big
    while app.presenter.reader.busy:
        yield 0.05
    yield 0.1
    return {
        "milliseconds": [float(np.median(shares)), sorted(shares)[-3:]],
        "slowest": np.argsort(shares)[-3:].tolist(),
        "shown": sorted(shown)[-3:],
        "soon": soon,
        "at_last": view.answer.big,
        "readings": len(readings),
        "newest_settled": session._settled == session._jobs,
    }
