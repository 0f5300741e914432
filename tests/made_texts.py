"""Amounts, dates, times and telephone numbers, written by hand: digits with signs between them.

Signs are drawn from templates of our own here, in the form of lenet_gpu/handwriting/templates.py; no model has learnt
them, whatever it makes of them.
"""

import made_pictures as made
import numpy as np

from lenet_gpu.handwriting.templates import read_templates
from lenet_gpu.handwriting.variation import draw_templates

SIGNS = """
$ one stroke 1
    78,18 50,6 22,22 34,44 66,56 80,78 52,94 20,82 | 50,-8 50,108
    76,24 48,10 24,28 38,46 64,54 78,74 50,92 24,76 | 54,-6 46,106
€ two bars 1
    84,14 52,2 22,28 22,74 52,98 84,86 | 6,40 66,40 | 6,60 62,60
    80,20 54,6 26,32 24,70 50,94 82,80 | 8,44 60,42 | 4,62 60,58
£ barred 1
    74,20 56,2 38,20 42,56 34,86 18,98! 84,96 | 20,52 66,52
    70,24 58,6 40,24 42,60 32,88 20,96! 80,94 | 22,56 62,54
k two strokes 1
    24,0 24,100 | 66,40 26,70! 70,100
    28,0 22,98 | 62,44 28,66! 66,96
r small 1
    28,40 28,100 28,64 44,42 66,44
    30,44 28,98 30,62 46,46 64,50
/ slash 1 lean=0.4
    76,-6 24,106
    66,-2 34,108
: two points 1
    50,40 50,41 | 50,88 50,89
    50,44 51,44 | 51,86 50,87
. point 1
    50,96 51,97
    50,97 50,96
, comma 1
    52,92 46,112
    54,94 50,110
' apostrophe 1
    52,-2 46,18
    54,0 50,16
- dash 1
    20,54 76,52
    26,50 70,52
"""
"""The signs, the digit's height being 0 to 100."""

NO_SIGNS = "$€£kr"
"""What is read as neither digit nor sign."""

STYLES = read_templates(SIGNS)
GAPS = {".": 0.16, ",": 0.16, ":": 0.2, "'": 0.14, " ": 0.6}


def sign_strokes(sign, rng):
    """A sign's strokes: its own box is 100 units high from the digits' top."""
    template = tuple(t for t in STYLES if t.name.split()[0] == sign)
    poses = template[0].poses
    # The drawing comes centred and scaled; its template says how tall it is and where it stands.
    drawing = draw_templates(rng, 1, template)[0]
    points, middle = np.concatenate(drawing), poses.mean(axis=0)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    tall, from_y = np.ptp(middle[:, 1]), middle[:, 1].min()
    scale = max(tall, np.ptp(middle[:, 0])) / max(size.max(), 1e-6)
    return [(stroke - low) * scale + (0, from_y) for stroke in drawing]


def written(text, hands, rng, height, pen):
    """A text's ink, (h, w) float32, with half a height above and below: any hand's digits, all with one pen."""
    room = np.zeros((2 * height, int(height * (len(text) + 2))), np.float32)
    x, top = height // 2, height // 2
    signs = sorted(set(text) - set("0123456789 "))
    drawn = {sign: sign_strokes(sign, rng) for sign in signs}  # a hand writes a sign alike each time
    for sign in text:
        if sign == " ":
            x += int(GAPS[" "] * height * rng.uniform(0.8, 1.2))
            continue
        if sign.isdigit():
            while True:
                k = int(rng.integers(len(hands.labels)))
                if hands.labels[k] == int(sign):
                    break
            ink, at = made.drawn(hands.drawings[k], int(height * rng.uniform(0.92, 1.08)), pen), top
        else:
            strokes = [stroke * height / 100 for stroke in drawn[sign]]
            points = np.concatenate(strokes)
            tall = max(int(np.ptp(points[:, 1]) + pen * height), int(np.ceil(pen * height)) + 1)
            wide = np.ptp(points[:, 0])
            # drawn() takes the height of the ink: what is flat would be scaled up
            tall = max(tall, int(0.25 * wide + pen * height))
            ink = made.drawn(strokes, tall, pen * height / tall)
            at = top + int(points[:, 1].min())
        at = max(0, at + int(rng.integers(-2, 3)))
        there = room[at : at + ink.shape[0], x : x + ink.shape[1]]
        np.maximum(there, ink[: there.shape[0], : there.shape[1]], out=there)
        x += ink.shape[1] + int(height * rng.uniform(0.14, 0.3))
    return room[:, : x + height // 2]


def amount(rng):
    """An amount with its currency before or after it."""
    whole = str(rng.integers(1, 10 ** int(rng.integers(1, 4))))
    cents = f"{rng.integers(0, 100):02d}"
    if rng.random() < 0.3:
        whole = f"{rng.integers(1, 100)}{rng.choice(['.', ',', ' ', chr(39)])}{rng.integers(0, 1000):03d}"
    number = whole + rng.choice([f".{cents}", f",{cents}", "", ".-", ",-"])
    sign = str(rng.choice(["$", "€", "£", "kr", ""]))
    return f"{sign}{number}" if rng.random() < 0.5 and sign != "kr" else f"{number} {sign}".strip()


def date(rng):
    day, month, year = int(rng.integers(1, 29)), int(rng.integers(1, 13)), int(rng.integers(1990, 2030))
    return str(
        rng.choice([f"{day}/{month:02d}/{year}", f"{day}.{month}.{year % 100:02d}", f"{year}-{month:02d}-{day:02d}"])
    )


def clock(rng):
    return f"{rng.integers(0, 24)}:{rng.integers(0, 60):02d}"


def telephone(rng):
    groups = ["".join(map(str, rng.integers(0, 10, int(n)))) for n in rng.choice([2, 3, 4], 3)]
    return str(rng.choice([" ", "-"])).join(groups)


KINDS = {"amounts": amount, "dates": date, "times": clock, "telephone numbers": telephone}
