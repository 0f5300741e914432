"""Quick digits drawn by a real pointer: what the app drew beside what the pointer did, and what was read."""

import json
import queue
import threading

import numpy as np
from kivy_process import result_in, start

from lenet_gpu.handwriting import draw_digits
from lenet_gpu.seeds import generator

POINTS = 24
"""Reports of the pointer in a stroke."""

PAUSE = 0.006
"""Seconds between two of them: a stroke takes 0.15 s."""

FAR = 1.5
"""Pixels that a drawn line may be from the pointer's way."""

SIZE = (480, 800)


def ways(page, count, seed=5):
    """Ways of the pointer for the digits 0, 1, 2 ... again and again: strokes of whole pixels, y down.

    Args:
        page: Left, top, width, height of the page in the window.
        count: Number of digits.
        seed: Of the hand.
    """
    left, top, width, height = page
    found = []
    for drawing in draw_digits(generator(seed, 2), [i % 10 for i in range(count)]):
        points = np.concatenate(drawing)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = 0.6 * min(width, height) / (high - low).max()
        strokes = []
        for stroke in drawing:
            along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
            at = np.linspace(0.0, along[-1], POINTS)
            even = np.stack([np.interp(at, along, np.asarray(stroke)[:, axis]) for axis in (0, 1)], axis=1)
            placed = (even - (low + high) / 2) * scale + (left + width / 2, top + height / 2)
            strokes.append(np.rint(placed).astype(int))
        found.append(strokes)
    return found


def draw_all(display, folder, frames, count):
    """Draw digits with the pointer of an X server; each is cleared by a key once the ink rests.

    Returns:
        A list of objects: "digit", "read", and "off": the greatest distance, in pixels, of the drawn lines from the
        pointer's way, or of its way from them.
    """
    options = {"count": count}
    process = start("pointer_drawn", folder, "x11", size=SIZE, frames=frames, options=options, DISPLAY=display.name)
    lines, said = [], queue.Queue()

    def listen():
        for line in process.stdout:
            lines.append(line)
            said.put(line)

    reader = threading.Thread(target=listen, daemon=True)
    reader.start()

    def wait(word):
        while not (line := said.get(timeout=60)).startswith(word):
            pass
        return line

    page = json.loads(wait("PAGE").split(maxsplit=1)[1])
    window = display.do("search", "--sync", "--class", "lenet_gpu_test").split()[0]
    display.do("windowmove", window, 0, 0)
    display.do("windowfocus", window)
    digits = ways(page, count)
    for strokes in digits:
        for stroke in strokes:
            moves = [part for x, y in stroke[1:] for part in ("mousemove", x, y, "sleep", PAUSE)]
            display.do("mousemove", *stroke[0], "mousedown", 1, *moves, "mouseup", 1)
        wait("RESTS")
        display.do("key", "--window", window, "Delete")
        wait("CLEARED")
    process.wait(60)
    reader.join(20)
    process.stdout.close()
    assert process.returncode == 0, "".join(lines)[-4000:]
    drawn = result_in("".join(lines))
    return [
        {"digit": i % 10, "read": one["read"], "off": apart(one["strokes"], way)}
        for i, (way, one) in enumerate(zip(digits, drawn, strict=True))
    ]


def apart(drawn, way):
    """The greatest distance of one set of lines from the other, either way, in pixels; far if strokes are missing."""
    if len(drawn) != len(way):
        return 1e3
    return max(max(distance(a, b), distance(b, a)) for a, b in zip(drawn, way, strict=True))


def distance(points, line):
    """The greatest distance of a polyline, what lies between its corners included, from another."""
    points, line = np.asarray(points, float), np.asarray(line, float)
    if len(points) > 1:
        between = np.linspace(0.0, 1.0, 9)[:, None, None]
        points = (points[:-1] + between * (points[1:] - points[:-1])).reshape(-1, 2)
    starts, ends = (line[:-1], line[1:]) if len(line) > 1 else (line, line)
    along = ends - starts
    share = ((points[:, None] - starts) * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-9)
    nearest = starts + np.clip(share, 0.0, 1.0)[..., None] * along
    return float(np.hypot(*(points[:, None] - nearest).transpose(2, 0, 1)).min(axis=1).max())


def faults(found, reference=None):
    """What is wrong: lines that are off, digits misread (of those that the reference reads, if there is one)."""
    wrong = [f"digit {i}: {one['off']:.1f} pixels off" for i, one in enumerate(found) if one["off"] >= FAR]
    for i, one in enumerate(found):
        expected = reference[i]["read"] if reference else str(one["digit"])
        if expected == str(one["digit"]) and one["read"] != expected:
            wrong.append(f"digit {i}: {expected} read as {one['read'] or 'none'}")
    return wrong
