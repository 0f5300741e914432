"""Real pixels of the bars: empty, with an answer, and empty again after Clear and after Undo."""

from acting import SEVEN, draw, tap
from pixels import Camera


def scene(app):
    view, camera = app.view, Camera()
    app.commands.open_pane("answer")
    yield 0.4

    def shoot():
        yield from camera.shoot()
        left, bottom = view.bars.to_window(view.bars.x, view.bars.y)
        top = len(camera.picture) - int(bottom + view.bars.height)
        part = camera.picture[top : top + int(view.bars.height), int(left) : int(left + view.bars.width)]
        return part.astype(int)

    empty = yield from shoot()
    seen = {"answers": []}
    for name in ("clear", "undo"):
        draw(view.page, SEVEN)
        yield 0.3
        full = yield from shoot()
        seen["answers"].append(app.session.reading.answer.big)
        tap(view.tools[name])
        yield 0.3
        again = yield from shoot()
        seen[name] = [int(abs(full - empty).max()), int(abs(again - empty).max())]
    return seen
