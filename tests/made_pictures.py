"""Pictures of digits made for measuring: any paper, pen, light and camera, each nuisance alone or several together.

A picture is built as the world builds it: paper (with rules, tables, security print), ink on it, light over both,
what lies around the sheet, and the camera (blur, grain, JPEG). Each nuisance belongs to one of these stages, so any
two can be put together in their natural order. All chance comes from the generator handed in.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

PAPER, INK = 230.0, 70.0
"""Grey levels of plain paper and of ink."""

STAGES = ("paper", "ink", "light", "around", "camera")


# ---- digits as ink: (height, width) float32, share of ink in each pixel


def pasted(field, height):
    """A 28x28 digit cropped to its ink and enlarged to a height in pixels."""
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    crop = field[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width = max(1, round(crop.shape[1] * height / crop.shape[0]))
    large = Image.fromarray(crop).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32) / 255.0


def drawn(strokes, height, pen):
    """Pen strokes with round ends, the ink `height` pixels high.

    Args:
        strokes: List of (n, 2), x right, y down.
        height: Of the ink, in pixels.
        pen: Width of the line as a share of the height.
    """
    points = np.concatenate(strokes)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    width = pen * height
    scale = (height - width) / max(size[1], 0.25 * size[0], 1e-6)  # a flat drawing stays within bounds
    finer = 4 if height <= 150 else 2
    columns = max(1, int(np.ceil(size[0] * scale + width)))
    rows = max(1, int(np.ceil(size[1] * scale + width)))
    canvas = Image.new("L", (columns * finer, rows * finer))
    pencil = ImageDraw.Draw(canvas)
    radius = width * finer / 2
    for stroke in strokes:
        at = ((stroke - low) * scale + width / 2) * finer
        if len(at) > 1 and 2 * radius > 1:
            pencil.line([tuple(p) for p in at], fill=255, width=max(1, round(2 * radius)), joint="curve")
        elif len(at) > 1:
            pencil.line([tuple(p) for p in at], fill=255, width=1)
        if 2 * radius > 1.5:
            for x, y in at:
                pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    ink = np.asarray(canvas.resize((columns, rows), Image.Resampling.BOX), dtype=np.float32) / 255.0
    return ink * min(1.0, max(2 * radius, 0.3))


def turned(ink, degrees):
    """Ink rotated, with room for its corners."""
    image = Image.fromarray(np.round(ink * 255).astype(np.uint8))
    return np.asarray(image.rotate(degrees, Image.Resampling.BICUBIC, expand=True), dtype=np.float32) / 255.0


# ---- scenes


@dataclass
class Scene:
    """A picture in the making: what a nuisance changes.

    Attributes:
        paper: (h, w) grey levels of the paper.
        ink: (h, w) share of ink.
        box: Top, left, bottom, right of the digit.
        tone: Grey level of ink.
        picture: (h, w) grey levels, once ink and paper are together.
    """

    paper: np.ndarray
    ink: np.ndarray
    box: tuple
    tone: float
    picture: np.ndarray


NUISANCES: dict[str, tuple[str, Callable]] = {}
"""Each nuisance's stage and function of (scene, rng), by name."""


def nuisance(name, stage):
    def keep(function):
        NUISANCES[name] = (stage, function)
        return function

    return keep


def scene_of(ink, size=(600, 800), rng=None):
    """Put a digit's ink on plain paper, anywhere that leaves a twelfth of the picture around it."""
    height, width = size
    top, left = (height - ink.shape[0]) // 2, (width - ink.shape[1]) // 2
    if rng is not None:
        margin = min(size) // 12
        top, left = (
            int(rng.integers(min(margin, free), max(free - margin, min(margin, free)) + 1))
            for free in (height - ink.shape[0], width - ink.shape[1])
        )
    whole = np.zeros(size, np.float32)
    whole[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    box = (top, left, top + ink.shape[0], left + ink.shape[1])
    return Scene(np.full(size, PAPER, np.float32), whole, box, INK, whole)


def picture_of(scene, names, rng, inverted=False):
    """Apply nuisances in the order of their stages.

    Returns:
        (h, w) uint8.
    """
    wanted = sorted(names, key=lambda name: STAGES.index(NUISANCES[name][0]))
    for name in (n for n in wanted if NUISANCES[n][0] in ("paper", "ink")):
        NUISANCES[name][1](scene, rng)
    scene.picture = scene.paper + (np.minimum(scene.tone, scene.paper) - scene.paper) * scene.ink
    for name in (n for n in wanted if NUISANCES[n][0] not in ("paper", "ink")):
        NUISANCES[name][1](scene, rng)
    picture = np.clip(np.rint(scene.picture), 0, 255).astype(np.uint8)
    return 255 - picture if inverted else picture


def _coordinates(shape, degrees=0.0):
    """Across and along a direction, in pixels from the middle: (h, w) each."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    y, x = y - shape[0] / 2, x - shape[1] / 2
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return y * c - x * s, y * s + x * c


def _rule(scene, rng, degrees, both):
    across, along = _coordinates(scene.paper.shape, degrees)
    pitch, width, depth = rng.uniform(35, 110), rng.uniform(1.0, 3.0), rng.uniform(25, 75)
    for axis in (across, along) if both else (across,):
        near = abs((axis + rng.uniform(0, pitch)) % pitch - pitch / 2)
        scene.paper -= depth * np.clip(width / 2 - near + 0.5, 0, 1)


# ---- paper


@nuisance("ruled", "paper")
def _ruled(scene, rng):
    _rule(scene, rng, 0.0, False)


@nuisance("squared", "paper")
def _squared(scene, rng):
    _rule(scene, rng, 0.0, True)


@nuisance("ruled, turned", "paper")
def _ruled_turned(scene, rng):
    _rule(scene, rng, rng.uniform(-10, 10), False)


@nuisance("squared, turned", "paper")
def _squared_turned(scene, rng):
    _rule(scene, rng, rng.uniform(-10, 10), True)


@nuisance("margin line", "paper")
def _margin(scene, rng):
    """One line from edge to edge beside the digit."""
    if rng.random() < 0.5:
        free = [x for x in range(10, scene.paper.shape[1] - 10) if not scene.box[1] - 12 < x < scene.box[3] + 12]
        x = int(rng.choice(free))
        scene.paper[:, x : x + int(rng.integers(1, 5))] = rng.uniform(60, 180)
    else:
        free = [y for y in range(10, scene.paper.shape[0] - 10) if not scene.box[0] - 12 < y < scene.box[2] + 12]
        y = int(rng.choice(free))
        scene.paper[y : y + int(rng.integers(1, 5))] = rng.uniform(60, 180)


@nuisance("table", "paper")
def _table(scene, rng):
    """A cell's lines on all sides of the digit, from edge to edge."""
    top, left, bottom, right = scene.box
    gap, width, level = int(rng.integers(8, 40)), int(rng.integers(1, 5)), rng.uniform(60, 180)
    for y in (top - gap, bottom + gap):
        if 0 <= y < scene.paper.shape[0]:
            scene.paper[y : y + width] = level
    for x in (left - gap, right + gap):
        if 0 <= x < scene.paper.shape[1]:
            scene.paper[:, x : x + width] = level


@nuisance("comb", "paper")
def _comb(scene, rng):
    """Up to six cells of a form, the digit in one of them; with a line at the top or without."""
    top, left, bottom, right = scene.box
    gap, width, level = int(rng.integers(6, 20)), int(rng.integers(1, 4)), rng.uniform(60, 180)
    top, bottom, pitch = max(top - gap, 0), bottom + gap, right - left + 2 * gap
    first = left - gap - pitch * int(rng.integers(0, 4))
    uprights = [x for x in range(first, first + 6 * pitch, pitch) if 0 <= x < scene.paper.shape[1] - width]
    for x in uprights:
        scene.paper[top:bottom, x : x + width] = level
    for y in (bottom - width, top)[: int(rng.integers(1, 3))]:
        scene.paper[y : y + width, uprights[0] : uprights[-1] + width] = level


@nuisance("security print", "paper")
def _security(scene, rng):
    """Fine waves, two families of them, as on cheques."""
    across, along = _coordinates(scene.paper.shape, rng.uniform(0, 180))
    for first, second in ((across, along), (along, across)):
        wave = first + rng.uniform(3, 9) * np.sin(second / rng.uniform(8, 25))
        scene.paper -= rng.uniform(15, 45) * np.clip(np.sin(2 * np.pi * wave / rng.uniform(7, 16)) * 2 - 0.8, 0, 1)


@nuisance("colour", "paper")
def _colour(scene, rng):
    """Coloured ink on coloured paper, as luma (ITU-R BT.601), at least 60 levels apart."""
    weights = np.array([0.299, 0.587, 0.114])
    while True:
        paper, ink = weights @ rng.uniform(120, 255, 3), weights @ rng.uniform(0, 220, 3)
        if paper - ink > 60:
            break
    scene.paper += paper - PAPER
    scene.tone = ink


# ---- ink


@nuisance("neighbour's rest", "ink")
def _neighbour(scene, rng):
    """A part of another digit at an edge, cut by it."""
    height = scene.box[2] - scene.box[0]
    top, left, bottom, right = scene.box
    side = 1 if scene.ink.shape[1] - right >= left else -1
    room = (scene.ink.shape[1] - right if side > 0 else left) - max(10, height // 5)
    reach = int(min(rng.uniform(0.1, 0.4) * height, room))
    if reach < 2:
        return
    y, x = np.mgrid[: scene.ink.shape[0], : scene.ink.shape[1]]
    edge = scene.ink.shape[1] if side > 0 else 0
    radius = rng.uniform(0.3, 0.5) * height
    cy, cx = (top + bottom) / 2 + rng.uniform(-0.2, 0.2) * height, edge + side * (radius - reach)
    pen = rng.uniform(0.05, 0.12) * height
    ring = abs(np.hypot(y - cy, x - cx) - radius)
    scene.ink = np.maximum(scene.ink, np.clip(pen / 2 - ring + 0.5, 0, 1).astype(np.float32))


# ---- light


def _shadow(scene, rng, soft):
    across, _ = _coordinates(scene.picture.shape, rng.uniform(0, 360))
    middle = (
        (scene.box[0] + scene.box[2] - scene.picture.shape[0]) / 2,
        (scene.box[1] + scene.box[3] - scene.picture.shape[1]) / 2,
    )
    at = across[int(middle[0] + scene.picture.shape[0] / 2), int(middle[1] + scene.picture.shape[1] / 2)]
    at += rng.uniform(-1, 1) * (scene.box[2] - scene.box[0])
    scene.picture *= 1 - rng.uniform(0.2, 0.5) * np.clip((across - at) / soft + 0.5, 0, 1)


@nuisance("hard shadow", "light")
def _hard_shadow(scene, rng):
    _shadow(scene, rng, rng.uniform(1, 4))


@nuisance("soft shadow", "light")
def _soft_shadow(scene, rng):
    _shadow(scene, rng, rng.uniform(20, 200))


@nuisance("slope", "light")
def _slope(scene, rng):
    across, _ = _coordinates(scene.picture.shape, rng.uniform(0, 360))
    scene.picture *= 1 - rng.uniform(0.2, 0.5) * (across - across.min()) / np.ptp(across)


# ---- around


@nuisance("frame", "around")
def _frame(scene, rng):
    """Lines of 1 to 8 pixels along one to four sides of the picture."""
    width, level = int(rng.integers(1, 9)), rng.uniform(0, 150)
    for side in rng.permutation(4)[: rng.integers(1, 5)]:
        where = [np.s_[:width], np.s_[-width:], np.s_[:, :width], np.s_[:, -width:]][side]
        scene.picture[where] = level


@nuisance("strip", "around")
def _strip(scene, rng):
    """The table beside the sheet: 20 to 160 pixels at an edge, dark."""
    top, left, bottom, right = scene.box
    room = [top, scene.picture.shape[0] - bottom, left, scene.picture.shape[1] - right]
    side = int(rng.choice(np.flatnonzero(np.array(room) >= 28))) if max(room) >= 28 else int(np.argmax(room))
    width = int(min(rng.uniform(20, 160), room[side] - 8))
    if width > 0:
        where = [np.s_[:width], np.s_[-width:], np.s_[:, :width], np.s_[:, -width:]][side]
        scene.picture[where] = rng.uniform(20, 140)


@nuisance("thumb", "around")
def _thumb(scene, rng):
    """A finger's tip in the corner furthest from the digit."""
    (height, width), (top, left, bottom, right) = scene.picture.shape, scene.box
    y, x = np.mgrid[:height, :width]
    cy, cx = height * (top + bottom < height), width * (left + right < width)
    down, across = rng.uniform(0.1, 0.3, 2) * min(height, width)
    away = np.hypot((y - cy) / down, (x - cx) / across)
    share = np.clip((1 - away) * down / 3, 0, 1)
    share[max(top - 8, 0) : bottom + 8, max(left - 8, 0) : right + 8] = 0
    scene.picture += share * (rng.uniform(90, 170) + 20 * np.cos(4 * away) - scene.picture)


@nuisance("specks", "around")
def _specks(scene, rng):
    for _ in range(int(np.exp(rng.uniform(0, np.log(51))))):
        y, x = (int(rng.integers(side - 3)) for side in scene.picture.shape)
        size = int(rng.integers(1, 4))
        scene.picture[y : y + size, x : x + size] = rng.uniform(10, 120)


# ---- camera


@nuisance("grain", "camera")
def _grain(scene, rng):
    scene.picture = scene.picture + rng.normal(0, rng.uniform(3, 14), scene.picture.shape)


@nuisance("blur", "camera")
def _blur(scene, rng):
    from PIL import ImageFilter

    image = Image.fromarray(np.clip(np.rint(scene.picture), 0, 255).astype(np.uint8))
    radius = rng.uniform(1, 5)
    scene.picture = np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)


@nuisance("JPEG 30", "camera")
def _jpeg(scene, rng):
    stream = io.BytesIO()
    Image.fromarray(np.clip(np.rint(scene.picture), 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=30)
    scene.picture = np.asarray(Image.open(stream), dtype=np.float32)
