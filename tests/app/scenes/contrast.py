"""Contrast from pixels: each part's painted colours beside what lies around it, in every palette."""

import numpy as np
from acting import SEVEN, draw
from pixels import Camera

from app.theme import contrast

LOOKS = [("calm", False), ("dark", False), ("safe", False), ("calm", True)]


def pieces(picture, widget, margin=0):
    """A widget's pixels, (h, w, 3)."""
    left, bottom = widget.to_window(widget.x, widget.y)
    top = len(picture) - round(bottom + widget.height) - margin
    low = len(picture) - round(bottom) + margin
    return picture[max(top, 0) : low, max(round(left) - margin, 0) : round(left + widget.width) + margin]


def best(part, ground):
    """The strongest contrast that a painted part has with its ground: of antialiased letters the full ink."""
    colors = np.unique(part.reshape(-1, 3), axis=0) / 255.0
    return max(contrast(tuple(color), ground) for color in colors)


def ground_of(part):
    """The most frequent colour."""
    colors, counts = np.unique(part.reshape(-1, 3), axis=0, return_counts=True)
    return tuple(colors[counts.argmax()] / 255.0)


def edge(picture, widget):
    """The outline against the ground outside it, in the middle of the widget's left side."""
    x, y = widget.to_window(widget.x, widget.y + widget.height / 2)
    row = picture[len(picture) - 1 - int(y), int(x) - 3 : int(x) + 5] / 255.0
    return max(contrast(tuple(color), tuple(row[0])) for color in row)


def scene(app):
    view, commands, camera, table = app.view, app.commands, Camera(), {}
    yield 0.2
    draw(view.page, SEVEN)
    yield 0.2
    shares = np.full(10, 0.02, np.float32)
    shares[[7, 1]] = 0.5, 0.34
    for palette, strong in LOOKS:
        found = table["high contrast" if strong else palette] = {}
        commands.change(palette=palette, high_contrast=strong)
        commands.open_pane("answer")
        app.keys.go(view.tabs["answer"])
        yield 0.15
        view.show_bars(shares, True, 4)
        yield from camera.shoot()
        shot = camera.picture
        for name, bar in (("best bar", view.bars.bars[7]), ("rival bar", view.bars.bars[1])):
            part = pieces(shot, bar)
            x0 = int(36 + (bar.width - 44) * bar.share / 2)
            column = part[len(part) - 9 : len(part) - 3, x0 - 3 : x0 + 3]
            found[name] = best(column, ground_of(part))
        found["bar's edge"] = edge(shot, view.bars.bars[3])
        found["selected bar's edge"] = edge(shot, view.bars.bars[4])
        part = pieces(shot, view.bars.bars[3])
        found["bar's digit"] = best(part[8:-12, 4:34], ground_of(part))
        for name, text in (("headline", view.answer.ids.headline), ("hint of the bars", view.panes["answer"].hint)):
            part = pieces(shot, text)
            found[name] = best(part, ground_of(part))
        for name in ("undo", "clear"):
            part = pieces(shot, view.tools[name], -4)
            found[f"tool {name}"] = best(part, ground_of(part))
            found[f"edge of tool {name}"] = edge(shot, view.tools[name])
        for name in ("answer", "more"):
            part = pieces(shot, view.tabs[name], -6)
            found[f"tab {name}{', chosen' if name == 'answer' else ''}"] = best(part, ground_of(part))
        part = pieces(shot, view.tabs["answer"])
        found["focus ring on what is chosen"] = best(part[len(part) // 2, 1:5], ground_of(part[8:-8, 8:-8]))
        found["page's edge"], found["answer's edge"] = edge(shot, view.page), edge(shot, view.answer)
        found["seen picture's edge"] = edge(shot, view.answer.ids.seen)
        page = pieces(shot, view.page, -8)
        found["ink"] = best(page, ground_of(page))
        app.keys.go(view.tools["clear"])
        yield 0.1
        yield from camera.shoot()
        ringed = pieces(camera.picture, view.tools["clear"])
        changed = np.abs(ringed.astype(int) - pieces(shot, view.tools["clear"])).max(axis=2) > 30
        found["focus ring"] = best(ringed[changed], ground_of(pieces(shot, view.tools["clear"], -4)))
        found["disabled's edge, which is none"] = 21.0 if edge(shot, view.tools["redo"]) < 1.5 else 0.0
        commands.open_pane("teach")
        app.keys.go(None)
        yield 0.15
        yield from camera.shoot()
        teach = view.panes["teach"]
        for name, text in (("teaching's hint", teach.hint), ("button of a digit", teach.digits[3])):
            part = pieces(camera.picture, text, -3)
            found[name] = best(part, ground_of(part))
    return table
