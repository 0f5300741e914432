"""Real pixels of texts of several lines: how many of the lines are painted?"""

from kivy.metrics import sp
from pixels import Camera

from app.widgets.text import Txt


def bands(picture, widget):
    """Number of the rows of writing in a widget's part of a picture."""
    left, bottom = widget.to_window(widget.x, widget.y)
    top = len(picture) - int(bottom + widget.height)
    part = picture[top : top + int(widget.height), int(left) + 2 : int(left + widget.width) - 2].astype(int)
    written = (abs(part - part[0, 0]).max(axis=2) > 60).any(axis=1)
    return int(written[0]) + int((written[1:] & ~written[:-1]).sum())


def scene(app):
    view, camera, seen = app.view, Camera(), {}
    yield 0.3
    for count in range(1, 9):
        # As the panes do it: a text gets the height that it says it needs.
        text = Txt(say="\n".join(["HHHH"] * count), most=14, size_hint=(None, None), width=200, pos=(20, 20))
        text.color = (0, 0, 0, 1)
        text.height = text.needed + sp(4)
        for part in view.shown:  # whatever lies below
            part.opacity = 0
        view.add_widget(text)
        yield 0.1
        yield from camera.shoot()
        seen[str(count)] = bands(camera.picture, text)
        view.remove_widget(text)
    for part in view.shown:
        part.opacity = 1

    app.commands.open_pane("more")
    yield 0.3
    app.view.panes["more"].scroll_y = 0.0
    yield 0.3
    yield from camera.shoot()
    keys = app.view.panes["more"].keys_list
    seen["keys"] = [keys.text.count("\n") + 1, bands(camera.picture, keys)]
    return seen
