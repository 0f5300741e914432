"""The keyboard alone: drawing, shortcuts, and the stops of Tab."""

from acting import key


def scene(app):
    view, seen = app.view, {}
    page, ink = app.view.page, app.session.ink
    yield 0.1
    key("escape")
    seen["page_focused"] = page.focused
    for name in ["up"] * 6 + ["spacebar"] + ["down"] * 12 + ["spacebar"]:
        key(name)
    yield 0.05
    seen["drawn_by_keys"] = [len(ink.strokes), len(ink.strokes[0].points), view.answer.big]
    key("z", "ctrl")
    seen["ctrl_z"] = len(ink.strokes)
    key("y", "ctrl")
    seen["ctrl_y"] = len(ink.strokes)
    stops = []
    for _ in range(60):
        key("tab")
        stops.append(app.keys.stop)
    seen["ring"] = [len(set(map(id, stops))), all(s.focused for s in stops[-1:])]
    key("tab", "shift")
    seen["shift_tab"] = app.keys.stop is stops[-2]
    while app.keys.stop is not view.tools["clear"]:
        key("tab")
    key("enter")
    seen["cleared_by_enter"] = ink.empty
    for number, name in enumerate(["inside", "teach", "more"], 3):
        key(f"f{number}")
        yield 0.05
        seen[f"f{number}"] = [view.pane, view.panes[name] in view.shown]
    key("f2")
    return seen
