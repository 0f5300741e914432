"""The network's inside: maps, and units taken apart."""

from acting import ONE, SEVEN, box, draw, tap
from kivy.core.window import Window


def scene(app):
    view, commands, session, seen = app.view, app.commands, app.session, {}
    page = app.view.page
    yield 0.1
    draw(page, ONE)
    commands.open_pane("inside")
    yield 0.1
    inside = view.panes["inside"]
    seen["maps"] = {
        name: bool(abs(one._values[~(one._values != one._values)]).sum() > 0) for name, one in inside.maps.items()
    }
    seen["textures"] = len({id(one.texture) for one in inside.maps.values()})
    inside.scroll_to(inside.maps["c1"], animate=False)
    yield 0.1
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

    # ---- a phone: whatever is tapped, what came of it is in sight
    Window.resize(320, 480)
    yield 0.2
    seen["in_sight"] = []
    for layer in ("c1", "c3", "f6", "s2"):
        inside.scroll_to(inside.maps[layer], animate=False)
        yield 0.1
        tap(inside.maps[layer], (0.5, 0.5))
        yield 0.2
        low, high = box(inside)[1], box(inside)[3]
        bottom, top = box(inside.explained)[1], box(inside.explained)[3]
        shown, pane = min(high, top) - max(low, bottom), high - low
        seen["in_sight"].append([layer, inside.explained.title[:2].lower(), shown, pane, top - bottom])
    return seen
