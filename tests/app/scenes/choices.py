"""Settings: taken on at once, and kept."""

from acting import ONE, box, draw, faults, key, tap
from kivy.core.window import Window


def scene(app):
    view, commands, session, seen = app.view, app.commands, app.session, {}
    page = app.view.page
    yield 0.1
    draw(page, ONE)
    commands.open_pane("more")
    yield 0.1
    more = view.panes["more"]
    tap(more.steppers["pen"][2])
    seen["pen"] = [session.settings.pen_width, page.pen_width]
    commands.change(language="he")
    yield 0.1
    seen["hebrew"] = [
        view.tabs["answer"].font_name,
        view.answer.ids.headline.halign,
        any("\u0590" <= c <= "\u05ff" for c in view.tabs["teach"].text),
    ]
    order = list(reversed(view.tab_row.children))
    seen["mirrored"] = [
        order[-1] is view.tabs["answer"],
        view.tool_row.children[0] is view.tools["undo"],
        view.bars.bars[0].x > view.bars.bars[5].x,
        more.copy.x > more.share.x,
        view.answer.ids.big.x > view.answer.ids.seen.x,
    ]
    app.keys.go(None)
    key("tab")
    app.keys.go(view.tools["undo"])
    key("tab")
    seen["reading_order"] = app.keys.stop.icon
    app.keys.go(None)
    commands.change(language="de")
    commands.change(left_handed=True)
    yield 0.05
    seen["left_handed"] = view.tool_row.children[-1] is view.tools["number"]
    app.exchange.copy()
    seen["copied"] = view.answer.note
    from app.settings import Settings

    kept = Settings.load(session.settings.folder)
    seen["kept"] = [kept.language, kept.left_handed, kept.pen_width]
    commands.change(language="en", left_handed=False)
    view.keep_clear((12, 40, 0, 60))  # a notch, a status bar, a bar of gestures
    yield 0.1
    boxes = [box(part) for part in view.shown]
    seen["kept_clear"] = [min(b[0] for b in boxes) >= 12, max(b[3] for b in boxes) <= Window.height - 40]
    seen["kept_clear"] += [min(b[1] for b in boxes) >= 60, not faults(view)]
    return seen
