"""One visit to the app on the mock GL, step by step."""

import sys

from acting import ONE, SEVEN, draw, key, place, tap, touch_at


def scene(app):
    view, commands, seen = app.view, app.commands, {}
    session, page, ink = app.session, view.page, app.session.ink
    loaded = set(sys.modules)
    seen["heavy"] = sorted({name.split(".")[0] for name in loaded} & {"cupy", "matplotlib", "tqdm"})
    yield 0.1
    seen["blank"] = [view.answer.big, view.answer.line, view.bars.bars[3].number]

    # ---- fingers
    draw(page, ONE)
    yield 0.05
    seen["one"] = [view.answer.big, session.reading.answer.kind, len(ink.strokes), len(ink.strokes[0].points)]
    seen["bars"] = [sum(bar.share for bar in view.bars.bars), [bar.best for bar in view.bars.bars].index(True)]
    seen["image_ink"] = int(view.answer.ids.seen.image.sum())
    first, second = touch_at(page, (0.2, 0.2)), touch_at(page, (0.8, 0.2))
    first.touch_down()
    second.touch_down()
    for step in range(1, 6):
        first.touch_move(*place(page, (0.2, 0.2 + step / 10)))
        second.touch_move(*place(page, (0.8, 0.2 + step / 10)))
    seen["live"] = len(ink.live)
    first.touch_up()
    second.touch_up()
    seen["two_fingers"] = [[len(s.points), float(s.points[:, 0].mean())] for s in ink.strokes[1:]]

    # ---- leaving the canvas and coming back
    leaving = touch_at(page, (0.5, 0.5))
    leaving.touch_down()
    leaving.touch_move(*place(page, (1.5, 0.5)))
    leaving.touch_move(*place(page, (1.5, 0.7)))
    leaving.touch_move(*place(page, (0.5, 0.7)))
    leaving.touch_up()
    box = page.viewport.box
    seen["clipped"] = [len(ink.strokes), max(float(s.points[:, 0].max()) for s in ink.strokes) <= box[2] + 1e-6]
    outside = touch_at(view.tab_row, (0.5, 0.5))
    outside.touch_down()
    outside.touch_move(*place(page, (0.5, 0.5)))
    outside.touch_up()
    seen["from_outside"] = len(ink.strokes)

    # ---- undo, redo, erase, clear, by touch
    yield 0.05
    tap(view.tools["undo"])
    seen["undo"] = len(ink.strokes)
    tap(view.tools["redo"])
    seen["redo"] = len(ink.strokes)
    tap(view.tools["undo"])
    tap(view.tools["erase"])
    tap(page, (0.2, 0.4))
    seen["erased"] = [len(ink.strokes), [round(float(s.points[:, 0].mean()), 2) for s in ink.strokes]]
    tap(view.tools["erase"])
    tap(view.tools["clear"])
    yield 0.05
    seen["clear"] = [ink.empty, session.reading.answer.kind, view.answer.big]
    tap(view.tools["undo"])
    seen["clear_undone"] = len(ink.strokes)
    tap(view.tools["clear"])

    # ---- the keyboard alone
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

    # ---- teaching
    draw(page, SEVEN)
    yield 0.05
    read = session.reading.prediction.digit
    tap(view.bars.bars[4])
    yield 0.05
    sample = list(session.samples)[-1]
    seen["taught"] = [sample.label, sample.predicted == read, len(sample.strokes), view.answer.note]
    key("9")
    seen["taught_by_key"] = [len(session.samples), list(session.samples)[-1].label]
    commands.open_pane("teach")
    yield 0.1
    tap(view.panes["teach"].forget)
    yield 0.1
    seen["forgotten"] = [len(session.samples), view.panes["teach"].count.say]
    tap(view.tools["clear"])
    commands.teach(3)
    seen["nothing_to_teach"] = [len(session.samples), view.answer.note]

    # ---- a number
    key("escape")
    key("n")
    page_width = page.viewport.box[2]
    for centre in (0.25, 0.7):
        draw(page, [(centre, 0.25), (centre, 0.4), (centre, 0.6), (centre, 0.75)])
    yield 0.1
    seen["number"] = [session.reading.answer.big, len(view.answer.chips), page_width > 0]
    seen["newest"] = session.reading.chosen
    tap(view.answer.chips[0])
    yield 0.05
    seen["chosen"] = [session.reading.chosen, view.answer.chips[0].chosen, view.answer.chips[1].chosen]
    key("escape")
    app.keys.go(None)
    key("right")
    seen["chosen_by_key"] = session.reading.chosen
    commands.toggle_number()
    yield 0.05

    # ---- looking inside
    commands.clear()
    draw(page, ONE)
    commands.open_pane("inside")
    yield 0.1
    inside = view.panes["inside"]
    seen["maps"] = {
        name: bool(abs(one._values[~(one._values != one._values)]).sum() > 0) for name, one in inside.maps.items()
    }
    seen["textures"] = len({id(one.texture) for one in inside.maps.values()})
    textures = [one.texture for one in inside.maps.values()]
    tap(inside.maps["c1"], (0.25, 0.5))
    yield 0.1
    seen["unit"] = [
        list(inside.maps["c1"].unit),
        inside.explained.title,
        inside.explained.sum_line != "",
        inside.explained.count,
    ]
    from app.explain import explain_unit

    found = explain_unit(session.recognizer.network, session.reading.prediction.image, "c1", inside.maps["c1"].unit)
    seen["unit_sum"] = f"{found.sum:.2f}" in inside.explained.sum_line
    inside.maps["c3"].choose((4, 0, 9))
    inside.maps["c3"].press_key("right")
    seen["across_the_gap"] = list(inside.maps["c3"].unit)
    seen["explained_c3"] = inside.explained.count
    draw(page, SEVEN)
    yield 0.1
    seen["same_textures"] = textures == [one.texture for one in inside.maps.values()]
    tap(inside.explained.ids.close)
    yield 0.1
    seen["closed"] = inside.explained.parent is None

    # ---- settings
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
    commands.change(language="de")
    commands.change(left_handed=True)
    yield 0.05
    seen["left_handed"] = view.tool_row.children[-1] is view.tools["number"]
    commands.copy()
    seen["copied"] = view.answer.note
    from app.settings import Settings

    kept = Settings.load(session.settings.folder)
    seen["kept"] = [kept.language, kept.left_handed, kept.pen_width]
    return seen
