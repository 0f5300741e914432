"""The teacher's mode fills a real screen, and gives the window back as it was."""

from acting import SEVEN, draw
from kivy.core.window import Window


def scene(app):
    sizes, answers = [], []
    yield 0.5
    draw(app.view.page, SEVEN)
    for _ in range(3):
        yield 1.0
        sizes.append([list(map(int, Window.system_size)), list(map(int, app.view.size))])
        answers.append(app.view.answer.big)
        app.lecture.toggle()
    return {"sizes": sizes, "answers": answers}
