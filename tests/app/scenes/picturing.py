"""Draws a number as a hand would and keeps what the window shows: the pictures of the README."""

import numpy as np
from acting import place, touch_at
from pixels import Camera

from lenet_gpu.handwriting import draw_digits
from lenet_gpu.seeds import generator

POINTS_A_FRAME = 8


def strokes(text, seed, page):
    """The strokes of a number as shares of the canvas, y down."""
    drawings = draw_digits(generator(seed, 1), [int(letter) for letter in text])
    found, edge = [], 0.0
    for drawing in drawings:
        left = min(stroke[:, 0].min() for stroke in drawing)
        found += [np.add(stroke, [edge - left, 0.0]) for stroke in drawing]
        edge = max(stroke[:, 0].max() for stroke in found) + 0.28
    points = np.concatenate(found)
    low, high = points.min(axis=0), points.max(axis=0)
    pixels = 0.72 * min(page.width / (high[0] - low[0]), page.height / (high[1] - low[1]))
    shift, size = (low + high) / 2, np.array([page.width, page.height])
    return [0.5 + (stroke - shift) * pixels / size for stroke in found]


def scene(app):
    commands, page, camera = app.commands, app.view.page, Camera()
    options = app.options
    commands.open_pane("inside")
    commands.change(number_mode=len(options["text"]) > 1, text_scale=options["text_scale"])
    yield 0.4
    count = 0

    def keep():
        nonlocal count
        np.save(f"{options['frames']}/{count:03d}.npy", camera.picture)
        count += 1

    yield from camera.shoot()
    keep()
    for stroke in strokes(options["text"], options["seed"], page):
        touch = touch_at(page, stroke[0])
        touch.touch_down()
        for k, share in enumerate(stroke[1:], 1):
            touch.touch_move(*place(page, share))
            if k % POINTS_A_FRAME == 0:
                yield 0.15
                yield from camera.shoot()
                keep()
        touch.touch_up()
        yield 0.2
        yield from camera.shoot()
        keep()
    yield 0.4
    yield from camera.shoot()
    keep()
    return count
