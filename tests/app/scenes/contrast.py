"""Contrast from pixels: each part's painted colours beside what lies around it, in every palette."""

import numpy as np
from acting import ONE, SEVEN, draw
from pixels import Camera

from app.interfaces import Act
from app.reading import Say
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


def across(picture, x, y, reach=9):
    """The strongest contrast along a short way across a line, with what lies before the line."""
    row = picture[len(picture) - 1 - int(y), int(x) - reach : int(x) + reach] / 255.0
    return max(contrast(tuple(color), tuple(row[0])) for color in row)


def text(picture, widget, margin=0):
    part = pieces(picture, widget, margin)
    return best(part, ground_of(part))


def number(app, camera, found):
    """Outlines of a number's digits, a message and its button."""
    commands, page = app.commands, app.view.page
    commands.clear()
    commands.change(number_mode=True)
    for x in (0.3, 0.7):
        draw(page, [(x, y) for _, y in ONE])
    yield 0.1
    while app.presenter.reader.busy:
        yield 0.05
    app.presenter.note(Say("taken", {"label": 1}), acts=[Act(Say("undo"), lambda: None)])
    yield 0.1
    yield from camera.shoot()
    for name, (left, top, _, bottom) in zip(("", ", chosen"), page.under._boxes, strict=True):
        x, y = page.viewport.to_pixels((left, (top + bottom) / 2))
        found[f"outline of a digit{name}"] = across(camera.picture, x - page.pen / 2 - 4, y, 4)
    found["text of a message"] = text(camera.picture, app.view.answer.ids.headline)
    button = app.view.answer.buttons[0]
    found["button of a message"] = text(camera.picture, button, -4)
    found["edge of a message's button"] = edge(camera.picture, button)
    commands.act(0)
    commands.change(number_mode=False)
    app.presenter.clear_note()


def pictures(app, camera, found):
    """Boxes over a page on white paper, and over the same in white chalk."""
    under = app.view.page.under
    for name, paper in (("white paper", 255), ("a dark board", 0), ("grey", 128)):
        image = np.full((160, 160), paper, np.uint8)
        app.view.show_picture(image)
        app.view.show_outlines([(20.0, 20.0, 60.0, 60.0), (90.0, 90.0, 130.0, 130.0)], 1)
        yield 0.05
        yield from camera.shoot()
        left, bottom, scale = under._place(image)
        for kind, at in (("box", 20), ("chosen box", 90)):
            x, y = left + at * scale - 4, bottom + (160 - at - 20) * scale
            found[f"{kind} on {name}"] = across(camera.picture, x, y)
    app.view.show_outlines([], 0)
    app.view.show_picture(None)


def lecture(app, camera, found):
    """The teacher's mode: texts, buttons, what is faint, and frames around what a unit sees."""
    view, page, lesson = app.view, app.view.page, app.view.panes["lesson"]
    view.fill = lambda on: None  # a window off the screen has no screen of its own size
    app.lecture.toggle()
    app.lecture.choose(2)
    app.lecture.turn(1)
    yield 0.2
    app.lecture.toggle_asking()
    app.lecture.ask(0)
    yield 0.2
    yield from camera.shoot()
    for name in ("title", "text", "place", "hint"):
        if getattr(lesson, name).to_window(0, getattr(lesson, name).y)[1] > lesson.y:
            found[f"text of a lesson: {name}"] = text(camera.picture, getattr(lesson, name))
    for name, button in (("next", lesson.on), ("chosen lesson", lesson.lessons[2]), ("lesson", lesson.lessons[0])):
        if button.to_window(button.x, button.y)[1] > lesson.y:
            found[f"button: {name}"] = text(camera.picture, button, -4)
            found[f"edge of {name}"] = edge(camera.picture, button)
    for name in ("before", "replay", "without"):
        found[f"tool {name}"] = text(camera.picture, view.tools[name], -4)
    part = pieces(camera.picture, page, -12)
    faint = next(iter(page._part.faint))
    x, y = page.viewport.to_pixels(tuple(faint[len(faint) // 2]))
    x, y = int(x - page.x) - 12, int(page.y + page.height - y) - 12
    found["faint stroke"] = best(part[y - 6 : y + 6, x - 6 : x + 6], ground_of(part))
    app.lecture.toggle_asking()
    yield 0.1
    view.tabs["inside"].dispatch("on_release")
    app.commands.look_at("c1", (5, 15, 15))
    yield 0.1
    view.panes["inside"].scroll_y = 1.0
    yield 0.2
    yield from camera.shoot()
    inside = view.panes["inside"]
    sheet = inside.sheets["input"]
    x, y = sheet.to_window(*sheet.drawn_pos)
    step = sheet.drawn_size[0] / 32
    found["frame in a map"] = across(camera.picture, x + 15 * step, y + 14.5 * step, 5)
    left, top, _, bottom = page.sight.box
    x, y = page.viewport.to_pixels((left, (top + bottom) / 2))
    found["frame on the page"] = across(camera.picture, x, y, 5)
    app.lecture.leave()


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
        while app.presenter.reader.busy:
            yield 0.05
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
        yield from number(app, camera, found)
        yield from pictures(app, camera, found)
        yield from lecture(app, camera, found)
        commands.clear()
        draw(view.page, SEVEN)
    return table
