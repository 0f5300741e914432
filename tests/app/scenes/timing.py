"""Times of the app's own work, frame by frame, with live maps in sight; for tests/benchmarks/app_speed.py."""

import time

import numpy as np
from acting import UnitTestTouch, place
from kivy.core.window import Window
from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glReadPixels


def milliseconds(function, repeats=30):
    took = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        took.append((time.process_time() - start) * 1e3)
    return {"best": min(took), "median": float(np.median(took))}


def circle(n):
    angle = np.linspace(0, 2 * np.pi, n)
    return [(0.5 + 0.22 * np.cos(a), 0.5 + 0.3 * np.sin(a)) for a in angle]


def scene(app):
    from app.explain import maps
    from lenet_gpu.ink.preprocess import strokes_to_mnist

    commands, page, session, found = app.commands, app.view.page, app.session, {}
    presenter = app.presenter
    yield 0.3
    commands.open_pane("inside")
    yield 0.3
    way = circle(60)
    touch = UnitTestTouch(*place(page, way[0]))
    touch.touch_down()
    answers, frames, start = [], [], 0.0
    show = presenter.show_reading

    def shown():
        show()
        answers.append((time.process_time() - start) * 1e3)

    def flipped(*_):
        if start:
            glReadPixels(0, 0, 1, 1, GL_RGB, GL_UNSIGNED_BYTE)  # waits until the frame is really painted
            frames.append((time.process_time() - start) * 1e3)

    presenter.show_reading = shown
    Window.bind(on_flip=flipped)
    for share in way[1:]:
        # What follows in this frame: the reading (before the frame is painted), painting, and the flip.
        start = time.process_time()
        touch.touch_move(*place(page, share))
        yield 0
        start = 0.0
        yield 0
    touch.touch_up()
    yield 0.1
    presenter.show_reading = show
    Window.unbind(on_flip=flipped)
    found["last point to bars"] = {"best": min(answers), "median": float(np.median(answers)), "worst": max(answers)}
    found["frame while drawing with live maps"] = {
        "best": min(frames), "median": float(np.median(frames)), "worst": max(frames),
    }  # fmt: skip
    strokes = session.ink.arrays()
    image = strokes_to_mnist(strokes)
    found["rasterise"] = milliseconds(lambda: strokes_to_mnist(strokes))
    plan = session.recognizer._plan
    found["one digit"] = milliseconds(lambda: plan.probabilities(image[None], refresh=False))
    found["strokes to prediction"] = milliseconds(lambda: session.recognizer.predict_strokes(strokes))
    found["all maps"] = milliseconds(lambda: maps(session.recognizer.network, image))
    found["show all maps"] = milliseconds(presenter.inspector.show)
    found["points"] = int(sum(map(len, strokes)))
    return found
