"""How long from the process's start to its first frame."""

import os
import time


def scene(app):
    from kivy.core.window import Window

    flips = []
    Window.bind(on_flip=lambda *_: flips.append(time.time()))
    Window.canvas.ask_update()
    while not flips:
        yield 0
    with open("/proc/self/stat") as file:
        ticks = float(file.read().rsplit(")", 1)[1].split()[19])
    with open("/proc/uptime") as file:
        age = float(file.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    return {"seconds": age - (time.time() - flips[0]), "cpu_seconds": time.process_time()}
