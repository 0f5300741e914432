"""The teacher's mode in every size and language, kept as pictures."""

import numpy as np
from acting import faults
from kivy.core.window import Window
from pixels import Camera


def scene(app):
    view, commands, lecture, camera = app.view, app.commands, app.lecture, Camera()
    options, wrong = app.options, {}
    view.fill = lambda on: None  # a window off the screen has no screen of its own size
    yield 0.2
    for width, height, scale, language in options["shapes"]:
        Window.size = (width, height)
        yield 0.3
        lecture.leave()
        commands.change(text_scale=scale, language=language)
        lecture.toggle()
        for name in options["shows"]:
            lesson, step, pane, act = options["shows"][name]
            lecture.choose(lesson)
            for _ in range(step):
                lecture.turn(1)
            if act:
                getattr(lecture, act[0])(*act[1:])
            commands.open_pane(pane)
            yield 0.3
            yield from camera.shoot()
            key = f"{width}x{height}_{scale}_{language}_{name}"
            np.save(f"{options['frames']}/{key}.npy", camera.picture)
            found = faults(view)
            if found:
                wrong[key] = found[:6]
    return wrong
