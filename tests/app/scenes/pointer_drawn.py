"""Digits drawn from outside by the X server's pointer: each one's lines in window pixels, and what was read."""

import json
import time

from acting import place
from kivy.core.window import Window

REST = 0.7
"""Seconds without a change after which a digit is done."""


def scene(app):
    view, session, page = app.view, app.session, app.view.page
    yield 0.5
    x, y = place(page, (0, 0))
    print("PAGE", json.dumps([int(x), int(Window.height - y), int(page.width), int(page.height)]), flush=True)
    found, ends = [], time.monotonic() + 260
    version, since, told = session.ink.version, time.monotonic(), False
    while len(found) < app.options["count"]:
        assert time.monotonic() < ends, "nobody draws any more"
        yield 0.02
        if session.ink.version != version:
            version, since = session.ink.version, time.monotonic()
            if session.ink.empty and told:
                told = False
                print("CLEARED", flush=True)
        elif session.ink.strokes and not session.ink.live and not told and time.monotonic() - since > REST:
            told = True
            lines = [[page.viewport.to_pixels(tuple(p)) for p in stroke.points] for stroke in session.ink.strokes]
            strokes = [[(float(x), float(Window.height - y)) for x, y in line] for line in lines]
            found.append({"read": view.answer.big, "strokes": strokes})
            print("RESTS", flush=True)
    while not session.ink.empty:
        yield 0.05
    print("CLEARED", flush=True)
    return found
