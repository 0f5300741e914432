"""Real pixels: the window is painted, ink is where it was drawn, and it stays when the window turns."""

import sys

import numpy as np
from acting import SEVEN, draw, faults, place
from kivy.core.window import Window

HEAVY = {"PIL", "cupy", "matplotlib", "tqdm", "platformdirs", "scipy", "torch"}
"""What must not be loaded when the app starts."""


def pixels():
    """What the window shows now, (height, width, 3) uint8, first row at the top; read when a frame is complete."""
    from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glReadPixels

    width, height = Window.system_size
    content = glReadPixels(0, 0, width, height, GL_RGB, GL_UNSIGNED_BYTE)
    return np.frombuffer(content, np.uint8).reshape(height, width, 3)[::-1]


class Camera:
    """Takes a picture of the next complete frame."""

    def __init__(self):
        self.picture = None

    def shoot(self):
        self.picture = None
        Window.bind(on_flip=self._flip)
        Window.canvas.ask_update()
        while self.picture is None:
            yield 0.02

    def _flip(self, *_):
        Window.unbind(on_flip=self._flip)
        self.picture = pixels().copy()


def at(picture, x, y):
    """The colour at window coordinates (y up)."""
    return [int(c) for c in picture[len(picture) - 1 - int(y), int(x)]]


def scene(app):
    view, commands, page, camera, seen = app.view, app.commands, app.view.page, Camera(), {}
    seen["heavy"] = sorted({name.split(".")[0] for name in sys.modules} & HEAVY)
    yield 0.3
    yield from camera.shoot()
    blank = camera.picture
    seen["size"] = list(blank.shape[:2])
    seen["black"] = float((blank.max(axis=2) < 8).mean())
    seen["ground"] = at(blank, 1, 1)
    seen["paper"] = at(blank, *place(page, (0.5, 0.9)))
    before = at(blank, *place(page, (0.5, 0.2)))
    draw(page, SEVEN)
    yield 0.2
    yield from camera.shoot()
    drawn = camera.picture
    seen["ink_before"], seen["ink"] = before, [at(drawn, *place(page, share)) for share in SEVEN]
    seen["beside"] = [at(drawn, *place(page, share)) for share in ((0.3, 0.5), (0.8, 0.6))]
    seen["faults"] = faults(view)
    seen["answer"] = view.answer.big
    big = view.answer.ids.big
    x, y = (int(v) for v in big.to_window(big.x, big.y))
    height = len(drawn)
    region = drawn[height - int(y + big.height) : height - y, x : int(x + big.width)]
    seen["answer_dark"] = float((region.max(axis=2) < 120).mean())

    # ---- turning the window
    strokes = [s.points.copy() for s in app.session.ink.strokes]
    # SDL's offscreen surface keeps its first size: the canvas lies at the left to be seen in what is left of it.
    commands.change(left_handed=True)
    Window.size = (Window.height, Window.width)
    yield 0.4
    yield from camera.shoot()
    seen["turned_size"] = list(camera.picture.shape[:2])
    seen["kept"] = all((a == s.points).all() for a, s in zip(strokes, app.session.ink.strokes, strict=True))
    # Of the drawing, what is lowest in the window: the surface ends at the height that it had at first.
    lowest = min((page.viewport.to_pixels(tuple(point)) for point in strokes[0]), key=lambda place: place[1])
    seen["turned_ink"] = at(camera.picture, *lowest)
    seen["turned_faults"] = faults(view)

    # ---- the picture of the network's input and of the drawing
    app.exchange.share()
    yield 0.1
    saved = sorted((app.session.settings.folder / "drawings").glob("*.png"))
    seen["saved"] = len(saved)
    from app.picture_file import load_with_kivy

    grey = load_with_kivy(str(saved[0]))
    seen["saved_size"] = [list(grey.shape), [int(page.height), int(page.width)]]
    seen["saved_reads"] = app.session.recognizer.predict_image(grey).digit
    app.exchange.open_picture(str(saved[0]))
    yield 0.2
    yield from camera.shoot()
    seen["picture_reads"] = [app.session.reading.answer.big, app.session.picture is not None, app.session.ink.empty]
    darkest = camera.picture[:, :, 0]
    x, y = (int(v) for v in place(page, (0.5, 0.5)))
    reach = max(60, int(0.15 * min(page.size)))  # the seven's stem passes beside the middle
    rows = slice(len(darkest) - y - reach, len(darkest) - y + reach)
    seen["picture_shown"] = int(darkest[rows, x - reach : x + reach].min())
    draw(page, SEVEN)
    seen["picture_gone"] = app.session.picture is None
    app.exchange.open_picture(str(app.session.settings.folder / "nothing.png"))
    seen["no_picture"] = "nothing.png" in view.answer.note
    return seen
