"""A public place: what can't be reached, and the new beginning after a rest."""

from acting import SEVEN, draw, key, tap


def scene(app):
    view, session, seen = app.view, app.session, {}
    yield 0.2
    seen["tabs"] = sorted(name for name, tab in view.tabs.items() if tab.parent is not None)
    draw(view.page, SEVEN)
    tap(view.tools["erase"])
    yield 0.1
    seen["read"] = view.answer.big
    for name in ("f4", "f5"):
        key(name)
    key("s", "ctrl")
    key("o", "ctrl")
    seen["pane"] = view.pane
    key("4")
    seen["acts"] = [button.say for button in view.answer.buttons]
    app.commands.teach(4)
    seen["kept"] = [
        len(session.samples),
        view.answer.big,
        sorted(path.name for path in session.settings.folder.iterdir()),
    ]
    view.page.hint = "not yet"
    app.idle._soon.timeout = 0.2
    app.idle.used()
    yield 0.1
    app.idle.used()
    yield 0.15
    seen["before"] = session.ink.empty
    yield 0.3
    seen["after"] = [
        session.ink.empty,
        view.answer.big,
        view.page.erasing,
        view.tools["undo"].disabled,
        view.page.hint,
    ]
    draw(view.page, SEVEN)
    yield 0.1
    seen["again"] = view.answer.big
    return seen
