"""What scenes do and look at."""

from kivy.core.window import Window
from kivy.metrics import dp
from kivy.tests.common import UnitTestTouch
from kivy.uix.scrollview import ScrollView

ONE = [(0.5, 0.2), (0.5, 0.35), (0.5, 0.5), (0.5, 0.65), (0.5, 0.8)]
"""A one, as shares of the canvas, y down."""

SEVEN = [(0.3, 0.2), (0.5, 0.2), (0.7, 0.2), (0.62, 0.4), (0.54, 0.6), (0.46, 0.8)]
ZERO = [
    (0.5, 0.2),
    (0.38, 0.3),
    (0.34, 0.5),
    (0.4, 0.7),
    (0.5, 0.8),
    (0.62, 0.7),
    (0.66, 0.5),
    (0.6, 0.3),
    (0.5, 0.2),
]


def place(widget, share):
    """Window pixels of a share of a widget (y down)."""
    x, y = widget.to_window(widget.x, widget.y)
    return x + share[0] * widget.width, y + (1 - share[1]) * widget.height


def touch_at(widget, share):
    return UnitTestTouch(*place(widget, share))


def draw(page, shares):
    """Draw a stroke with one finger."""
    touch = touch_at(page, shares[0])
    touch.touch_down()
    for share in shares[1:]:
        touch.touch_move(*place(page, share))
    touch.touch_up()


def tap(widget, share=(0.5, 0.5)):
    touch = touch_at(widget, share)
    touch.touch_down()
    touch.touch_up()


def key(name, *modifiers, text=None):
    """Press a key the way a window reports it."""
    from kivy.core.window import Keyboard

    code = Keyboard.keycodes[name]
    if not Window.dispatch("on_key_down", code, 0, text, list(modifiers)):
        Window.dispatch("on_keyboard", code, 0, text, list(modifiers))
    Window.dispatch("on_key_up", code, 0)


def box(widget):
    x, y = widget.to_window(widget.x, widget.y)
    return x, y, x + widget.width, y + widget.height


def overlap(one, other):
    """Overlap of two boxes, pixels each way; at most a pixel of rounding is none."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width > 1.0 and height > 1.0


def viewport(widget):
    """The box of the pane that a widget scrolls in, or None."""
    above = widget.parent
    while above is not None and above is not above.parent:
        if isinstance(above, ScrollView):
            return box(above)
        above = above.parent
    return None


def faults(view):
    """What is wrong with how things lie: parts or buttons that overlap, leave the window, or are too small."""
    from app.panes import stops
    from app.widgets.look import look
    from app.widgets.tap import Tool
    from app.widgets.text import Txt

    found = []
    parts = {type(part).__name__ + str(i): box(part) for i, part in enumerate(view.shown)}
    names = list(parts)
    for i, name in enumerate(names):
        left, bottom, right, top = parts[name]
        if left < -1 or bottom < -1 or right > Window.width + 1 or top > Window.height + 1:
            found.append(f"{name} leaves the window: {parts[name]}")
        found += [f"{name} overlaps {other}" for other in names[i + 1 :] if overlap(parts[name], parts[other])]
    every = stops(view)
    for i, stop in enumerate(every):
        if stop.width < dp(48) - 0.5 or stop.height < dp(48) - 0.5:
            found.append(f"{label(stop)} is {stop.width:.0f}x{stop.height:.0f}")
        for other in every[i + 1 :]:
            if viewport(stop) == viewport(other) and overlap(box(stop), box(other)):
                found.append(f"{label(stop)} overlaps {label(other)}")
    for text in [w for w in view.walk() if isinstance(w, Txt) and w.text]:
        if isinstance(text, Tool) and text.font_size < 8:
            found.append(f"the name {text.say!r} has letters of {text.font_size}")
        if text.texture_size[0] > text.width + 1.5 or text.texture_size[1] > text.height * 1.15 + 2:
            found.append(f"text {text.text!r} of {text.texture_size} in {text.size}")
        if "…" in text.text and "…" not in text.say:
            found.append(f"text {text.say!r} is cut: {text.text!r}")
        plain = not (isinstance(text, Tool) or look.rtl or text.foreign)  # neither marked up nor turned round
        if plain and not set(text.text.split()) - {"…"} <= set(text.say.split()):
            found.append(f"text {text.say!r} is broken in a word: {text.text!r}")
        if text.height < 8:
            found.append(f"text {text.text!r} has no height")
    return found


def label(stop):
    name = getattr(stop, "say", "") or getattr(stop, "digit", "") or getattr(stop, "layer", "")
    return f"{type(stop).__name__} {name}"
