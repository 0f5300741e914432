"""A mouse drag of 100 reports while the app makes 5 frames a second (under X the mouse is driven from outside)."""

import time

from acting import place
from kivy.core.window import Window


def scene(app):
    view, ink, options = app.view, app.session.ink, app.options
    yield 0.5
    if not options.get("from_outside"):
        # The window's own events, as SDL reports them: several between two frames.
        x0, y0 = place(view.page, (0.1, 0.5))
        top = Window.height
        Window.dispatch("on_mouse_down", x0, top - y0, "left", [])
        moved = 0
        while moved < 100:
            for _ in range(20):
                moved += 1
                Window.mouse_pos = (x0 + moved * 2, y0)
                Window.dispatch("on_mouse_move", x0 + moved * 2, top - y0 + (moved % 2), [])
            yield 0.2
        Window.dispatch("on_mouse_up", x0 + 200, top - y0, "left", [])
        yield 0.4
        begins = [view.page.viewport.to_pixels(tuple(s.points[0])) for s in ink.strokes]
        off = [float(max(abs(x - x0), abs(y - y0))) for x, y in begins]
        return {"points": [len(s.points) for s in ink.strokes], "off": off}
    print("PAGE", *[int(v) for v in (*place(view.page, (0, 0)), view.page.width, view.page.height)], flush=True)
    for name in ("undo", "clear"):
        x, y = place(view.tools[name], (0.5, 0.5))
        print("TOOL", name, int(x), int(Window.height - y), flush=True)
    print("READY", flush=True)
    ends, states = time.monotonic() + options["seconds"], []
    while time.monotonic() < ends:
        begin = view.page.viewport.to_pixels(tuple(ink.strokes[0].points[0])) if ink.strokes else None
        state = [
            [len(s.points) for s in ink.strokes],
            app.session.reading.answer.big,
            view.pane,
            len(app.session.samples),
            [float(begin[0]), float(Window.height - begin[1])] if begin else None,
        ]
        if not states or states[-1] != state:
            states.append(state)
        if view.pane == "teach" and (app.session.settings.folder / "settings.json").exists():
            break
        yield 0.05
    return {"states": states, "pen": float(view.page.pen_width)}
