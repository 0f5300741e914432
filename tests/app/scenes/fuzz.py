"""Seeded random use: touches, keys, sizes and pauses at once, while nothing may break, get lost or grow."""

import gc
import json
import random
import resource
import threading
import time

import numpy as np
from kivy.core.window import Keyboard, Window
from kivy.tests.common import UnitTestTouch

from app.sample import Sample
from app.widgets.tap import Tap
from app.widgets.text import Txt

KEYS = ["tab", "enter", "spacebar", "escape", "left", "right", "up", "down", "delete", "backspace", "e", "n",
        "f1", "f2", "f3", "f4", "f5", "z", "y", "1", "7", "0"]  # fmt: skip
SIZES = [(320, 480), (480, 320), (480, 800), (800, 480), (1280, 720), (700, 700)]


def resize(width, height):
    if hasattr(Window, "resize"):  # the mock window
        Window.resize(width, height)
    else:
        Window.size = (width, height)


def memory():
    """Resident memory now, MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def scene(app):
    view, commands, ink, chance = app.view, app.commands, app.session.ink, random.Random(app.options["seed"])
    fingers, counts, lost, seen_memory = {}, {"touch": 0, "key": 0, "size": 0, "setting": 0}, [], []
    seen_labels = []
    # The first learning takes room for the bundled digits, which stays: it is taken before anything is counted.
    sample = Sample([np.array([[0, 0], [10, 40], [30, 90]], np.float32)], 1, None)
    learning = threading.Thread(target=app.session.tuner.fit, args=([sample],))
    learning.start()
    while learning.is_alive():
        yield 0.1
    began = ended_after = time.monotonic()
    yield 0.3

    def press_key():
        name = chance.choice(KEYS)
        modifiers = ["ctrl"] if name in "zy" else ["shift"] if chance.random() < 0.2 else []
        code = Keyboard.keycodes[name]
        if not Window.dispatch("on_key_down", code, 0, name if len(name) == 1 else None, modifiers):
            Window.dispatch("on_keyboard", code, 0, None, modifiers)
        Window.dispatch("on_key_up", code, 0)

    rounds = 0
    # On a busy machine time alone would let next to nothing happen.
    while time.monotonic() - began < app.options["seconds"] or rounds < 200:
        rounds += 1
        for _ in range(chance.randint(1, 12)):
            roll = chance.random()
            if roll < 0.25 and len(fingers) < 5:
                x, y = chance.random() * Window.width, chance.random() * Window.height
                touch = UnitTestTouch(x, y)
                touch.touch_down()
                fingers[touch] = touch.uid in ink.live
                counts["touch"] += 1
            elif roll < 0.8 and fingers:
                touch = chance.choice(list(fingers))
                x = touch.sx * Window.width + chance.gauss(0, 40)
                y = touch.sy * Window.height + chance.gauss(0, 40)
                alive = touch.uid in ink.live
                points = ink.live[touch.uid].points if alive else 0
                touch.touch_move(x, y)
                if alive and touch.uid in ink.live and ink.live[touch.uid].points < points:
                    lost.append("a live stroke shrank")
            elif roll < 0.93 and fingers:
                touch = chance.choice(list(fingers))
                del fingers[touch]
                strokes, live = ink.strokes, ink.live.get(touch.uid)
                pieces = [list(piece) for piece in live.pieces] if live else []
                touch.touch_up()
                if live is not None:
                    if ink.strokes[: len(strokes)] != strokes:
                        lost.append("lifting changed other strokes")
                    if len(ink.strokes) - len(strokes) < len(pieces):
                        lost.append(f"{len(pieces)} pieces, {len(ink.strokes) - len(strokes)} strokes")
            elif roll < 0.985:
                press_key()
                counts["key"] += 1
            elif roll < 0.995:
                before = ink.strokes
                resize(*chance.choice(SIZES))
                counts["size"] += 1
                if ink.strokes[: len(before)] != before:
                    lost.append("resizing changed strokes")
            else:
                commands.change(
                    language=chance.choice(["en", "de", "he"]),
                    text_scale=chance.choice([0.8, 1.0, 1.5, 2.0]),
                    high_contrast=chance.random() < 0.3,
                    palette=chance.choice(["calm", "dark", "safe"]),
                    left_handed=chance.random() < 0.5,
                )
                counts["setting"] += 1
        if chance.random() < 0.01:
            app.on_pause()
        shown = set(view.page._traces) | set(view.page._live)
        wanted = set(ink.strokes) | set(ink.live)
        if view.page in view.shown and shown != wanted:
            lost.append("what is shown is not what is drawn")
        if len(ink.strokes) > 60:
            ink.clear()
            ink._undo.clear()
            view.page.sync()
        if time.monotonic() - ended_after > app.options["seconds"] / 20:
            ended_after = time.monotonic()
            gc.collect()
            seen_memory.append(memory())
            seen_labels.append(sum(type(thing) in (Tap, Txt) for thing in gc.get_objects()))
        yield chance.choice([0, 0, 0, 0, 0.01, 0.05])
    return {
        "counts": counts,
        "lost": lost[:10],
        "memory": seen_memory,
        "labels": seen_labels,
        "ink": json.dumps(len(ink.strokes)),
    }
