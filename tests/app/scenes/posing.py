"""Brings the app into states, by what a user can do, and keeps a picture of each; says what lies wrong in it."""

import numpy as np
from acting import faults, place, touch_at
from kivy.core.window import Window
from picturing import strokes
from pixels import Camera


def draw_text(app, text, seed, share=1.0):
    """Draw digits as a hand would, the last stroke only in part; returns the finger, which stays down then."""
    page = app.view.page
    lines = strokes(text, seed, page)
    for i, line in enumerate(lines):
        touch = touch_at(page, line[0])
        touch.touch_down()
        last = i == len(lines) - 1
        for point in line[1 : max(int(len(line) * share), 2) if last else None]:
            touch.touch_move(*place(page, point))
        if last and share < 1.0:
            x, y = place(page, line[max(int(len(line) * share), 2) - 1])
            return [x, Window.height - y]
        touch.touch_up()
    return None


def scene(app):
    view, camera, found = app.view, Camera(), {}
    view.fill = lambda on: None  # a window off the screen has no screen of its own size
    yield 0.3
    for pose in app.options["poses"]:
        tip = None
        for what, name, *values in pose["do"]:
            if what == "draw":
                tip = draw_text(app, name, *values)
            elif what == "size":
                Window.size = (name, values[0])
            else:
                target = {"commands": app.commands, "exchange": app.exchange, "lecture": app.lecture, "view": view}[
                    what
                ]
                keywords = values.pop() if values and isinstance(values[-1], dict) else {}
                getattr(target, name)(*values, **keywords)
            yield 0.2
            while app.presenter.reader.busy:
                yield 0.05
        yield 0.5
        yield from camera.shoot()
        np.save(f"{app.options['frames']}/{pose['name']}.npy", camera.picture)
        found[pose["name"]] = {"tip": tip, "wrong": faults(view)[:6]}
    return found
