"""More that pictures of digits are taken of and with: boards, desks, screens, receipts, stamps, torn notebooks.

Importing this adds nuisances to those of `made_pictures`.
"""

import made_pictures as made
import numpy as np
from made_pictures import _coordinates, nuisance
from PIL import Image, ImageDraw, ImageFilter


def _blurred(values, radius):
    """Values smoothed over about a radius in pixels, (h, w) float32; long radii by way of a small picture."""
    image = Image.fromarray(values.astype(np.float32))
    factor = max(1, int(radius // 4))
    small = image.resize(tuple(max(2, side // factor) for side in image.size), Image.Resampling.BOX)
    small = small.resize(image.size, Image.Resampling.BICUBIC) if factor > 1 else image
    if factor == 1:  # Pillow blurs no floats
        low, high = values.min(), values.max() + 1e-6
        levels = Image.fromarray(np.rint((values - low) / (high - low) * 255).astype(np.uint8))
        small = Image.fromarray(
            np.asarray(levels.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255 * (high - low) + low
        )
    return np.asarray(small, dtype=np.float32)


def _clouds(rng, shape, radius):
    """Clouds of about a radius, mean 0 and standard deviation 1."""
    clouds = _blurred(rng.normal(size=shape), radius)
    return (clouds - clouds.mean()) / clouds.std()


def _mask(shape, draw):
    """What is drawn with Pillow, twice as fine: (h, w) float32, 0..1."""
    canvas = Image.new("L", (2 * shape[1], 2 * shape[0]))
    draw(ImageDraw.Draw(canvas))
    return np.asarray(canvas.resize(shape[::-1], Image.Resampling.BOX), dtype=np.float32) / 255


def line_through(shape, points, width):
    """A line through points (x, y) with round ends."""

    def draw(pencil):
        at = [(2 * x, 2 * y) for x, y in points]
        pencil.line(at, fill=255, width=max(1, round(2 * width)), joint="curve")
        for x, y in (at[0], at[-1]):
            pencil.ellipse((x - width, y - width, x + width, y + width), fill=255)

    return _mask(shape, draw)


def _ellipse(shape, box, width):
    """An ellipse in a box (left, top, right, bottom)."""
    return _mask(
        shape, lambda pencil: pencil.ellipse([2 * v for v in box], outline=255, width=max(1, round(2 * width)))
    )


def _pen(scene, rng):
    return max(1.5, rng.uniform(0.04, 0.1) * (scene.box[2] - scene.box[0]))


# ---- paper


@nuisance("guilloche", "paper")
def _guilloche(scene, rng):
    """Bands of interwoven sine curves and a rosette, fine, in three colours, as on share certificates."""
    shape = scene.paper.shape
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    total = np.zeros(shape, np.float32)
    for _ in range(3):
        depth, width = rng.uniform(12, 45), rng.uniform(0.7, 1.5)
        across, along = _coordinates(shape, rng.uniform(-20, 20))
        pitch, swing, length = rng.uniform(14, 34), rng.uniform(6, 25), rng.uniform(40, 160)
        for phase in np.arange(3) * 2 * np.pi / 3:
            at = across + swing * np.sin(2 * np.pi * along / length + phase)
            away = abs((at + pitch / 2) % pitch - pitch / 2)
            total += depth * np.clip(width / 2 - away + 0.5, 0, 1)
    cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
    radius, angle = np.hypot(y - cy, x - cx), np.arctan2(y - cy, x - cx)
    depth, lobes = rng.uniform(12, 45), int(rng.integers(8, 24))
    for phase in np.arange(6) * np.pi / 3:
        ring = 60 + 25 * np.sin(lobes * angle + phase)
        total += depth * np.clip(0.6 - abs(radius - ring) + 0.5, 0, 1)
    scene.paper -= np.minimum(total, 70)


@nuisance("graph paper", "paper")
def _graph_paper(scene, rng):
    """A line each millimetre, and a heavier one each ten."""
    pitch, fine = rng.uniform(5, 9), rng.uniform(12, 35)
    heavy, degrees = fine + rng.uniform(10, 40), rng.uniform(-4, 4)
    for axis in _coordinates(scene.paper.shape, degrees):
        axis = axis + rng.uniform(0, 10 * pitch)
        for step, depth, width in (
            (pitch, fine, 1.0),
            (5 * pitch, (fine + heavy) / 2, 1.3),
            (10 * pitch, heavy, 1.8),
        ):
            away = abs((axis + step / 2) % step - step / 2)
            np.minimum(scene.paper, made.PAPER - depth * np.clip(width / 2 - away + 0.5, 0, 1), out=scene.paper)


@nuisance("pale box", "paper")
def _pale_box(scene, rng):
    """A box around the digit that is hardly seen."""
    top, left, bottom, right = scene.box
    gap, width, depth = rng.uniform(8, 40), rng.uniform(1, 3.5), rng.uniform(8, 28)
    y, x = np.mgrid[: scene.paper.shape[0], : scene.paper.shape[1]]
    away = np.maximum(np.maximum(top - gap - y, y - bottom - gap), np.maximum(left - gap - x, x - right - gap))
    scene.paper -= depth * np.clip(width / 2 - abs(away) + 0.5, 0, 1)


@nuisance("recycled paper, pencil", "paper")
def _recycled(scene, rng):
    """Grey paper with fibres, and a pencil that leaves its grain free."""
    shape = scene.paper.shape
    scene.paper += rng.uniform(-50, -15) + rng.uniform(2, 6) * _clouds(rng, shape, rng.uniform(1, 2))

    def draw(pencil):
        for _ in range(int(rng.integers(100, 500))):
            x, y, turn = rng.uniform(0, 2 * shape[1]), rng.uniform(0, 2 * shape[0]), rng.uniform(0, 2 * np.pi)
            far = rng.uniform(8, 40)
            middle = (x + far * np.cos(turn), y + far * np.sin(turn))
            bent = turn + rng.uniform(-0.8, 0.8)
            end = (middle[0] + far * np.cos(bent), middle[1] + far * np.sin(bent))
            pencil.line([(x, y), middle, end], fill=int(rng.integers(60, 255)), width=int(rng.integers(1, 4)))

    scene.paper -= rng.uniform(15, 45) * _mask(shape, draw)
    scene.tone = rng.uniform(80, 125)
    scene.ink = scene.ink * np.clip(0.8 + rng.uniform(0.1, 0.25) * _clouds(rng, shape, 1), 0.2, 1)


# ---- what is drawn beside digits


@nuisance("circled", "ink")
def _circled(scene, rng):
    """A circle around the digit by the same pen."""
    top, left, bottom, right = scene.box
    height, width = bottom - top, right - left
    gap = rng.uniform(0.12, 0.35) * height
    half = np.hypot(height, width) / 2 + gap
    cy, cx = (top + bottom) / 2, (left + right) / 2
    pen = _pen(scene, rng)
    turn = np.linspace(0, 2 * np.pi + rng.uniform(-0.15, 0.3), 80) + rng.uniform(0, 6.3)
    grow = 1 + rng.uniform(-0.04, 0.04) * (turn - turn[0]) / 6.3 + 0.03 * np.sin(2 * turn + rng.uniform(0, 6))
    across = half * rng.uniform(0.85, 1.1)
    points = np.stack([cx + across * grow * np.cos(turn), cy + half * grow * np.sin(turn)], axis=1)
    scene.ink = np.maximum(scene.ink, line_through(scene.ink.shape, points, pen))


@nuisance("underlined", "ink")
def _underlined(scene, rng):
    top, left, bottom, right = scene.box
    height = bottom - top
    y, pen = bottom + rng.uniform(0.06, 0.25) * height, 0.7 * _pen(scene, rng)
    for _ in range(int(rng.integers(1, 3))):
        out = rng.uniform(0.05, 0.4, 2) * height
        points = [
            (left - out[0], y),
            ((left + right) / 2, y + rng.uniform(-3, 3)),
            (right + out[1], y - rng.uniform(-0.05, 0.08) * height),
        ]
        scene.ink = np.maximum(scene.ink, line_through(scene.ink.shape, points, pen))
        y += rng.uniform(0.1, 0.15) * height + pen


@nuisance("ticked box", "ink")
def _ticked_box(scene, rng):
    """A ticked box beside the digit, printed finer than the tick."""
    top, left, bottom, right = scene.box
    height, shape = bottom - top, scene.ink.shape
    side = rng.uniform(0.35, 0.7) * height
    gap = rng.uniform(0.25, 0.7) * height
    at = right + gap if shape[1] - right >= left else left - gap - side
    low = bottom - rng.uniform(0.1, 0.3) * height
    box = (at, low - side, at + side, low)
    frame = _mask(
        shape, lambda pencil: pencil.rectangle([2 * v for v in box], outline=255, width=int(rng.integers(2, 7)))
    )
    tick = np.array([(0.15, 0.5), (0.4, 0.85), (1.05, -0.15)]) * side + (at, low - side)
    scene.ink = np.maximum(
        np.maximum(scene.ink, frame * rng.uniform(0.6, 1)), line_through(shape, tick, 0.6 * _pen(scene, rng))
    )


@nuisance("stamp", "ink")
def _stamp(scene, rng):
    """A round stamp of two rings with marks between them, around the digit or across it, paler than the ink."""
    top, left, bottom, right = scene.box
    height, shape = bottom - top, scene.ink.shape
    radius = rng.uniform(0.8, 1.3) * height
    cy = (top + bottom) / 2 + rng.uniform(-0.7, 0.7) * height
    cx = (left + right) / 2 + rng.uniform(-0.7, 0.7) * height
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    away, angle = np.hypot(y - cy, x - cx), np.arctan2(y - cy, x - cx)
    width = rng.uniform(1.5, 4)
    rings = np.clip(width / 2 - abs(away - radius) + 0.5, 0, 1)
    rings = np.maximum(rings, np.clip(width / 2 - abs(away - 0.72 * radius) + 0.5, 0, 1))
    marks = np.sin(angle * int(rng.integers(20, 40)) + np.sin(3 * angle)) > rng.uniform(0, 0.4)
    rings = np.maximum(rings, marks * np.clip(0.07 * radius - abs(away - 0.86 * radius) + 0.5, 0, 1))
    worn = np.clip(0.8 + 0.4 * _clouds(rng, shape, 4), 0, 1)
    scene.paper -= rng.uniform(30, 75) * rings * worn


@nuisance("circle, printed", "paper")
def _printed_circle(scene, rng):
    top, left, bottom, right = scene.box
    half = np.hypot(bottom - top, right - left) / 2 * rng.uniform(1.15, 1.5)
    cy, cx = (top + bottom) / 2, (left + right) / 2
    scene.paper -= rng.uniform(40, 130) * _ellipse(
        scene.paper.shape, (cx - half, cy - half, cx + half, cy + half), rng.uniform(1, 4)
    )


# ---- light


@nuisance("finger's shadow", "light")
def _fingers_shadow(scene, rng):
    """A finger's or a pen's shadow that falls onto the sheet and ends near the digit or on it."""
    shape = scene.picture.shape
    across, along = _coordinates(shape, rng.uniform(0, 360))
    top, left, bottom, right = scene.box
    y, x = int((top + bottom) / 2), int((left + right) / 2)
    across, along = across - across[y, x], along - along[y, x]
    height = bottom - top
    half, soft, shift = rng.uniform(0.2, 0.7) * height, rng.uniform(8, 60), rng.uniform(-0.4, 0.4) * height
    tip = rng.uniform(-0.7, 0.7) * height
    away = np.where(along > tip, abs(across + shift), np.hypot(across + shift, along - tip))
    scene.picture *= 1 - rng.uniform(0.2, 0.5) * np.clip((half - away) / soft + 0.5, 0, 1)


@nuisance("vignette", "light")
def _vignette(scene, rng):
    shape = scene.picture.shape
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(y / shape[0] - rng.uniform(0.4, 0.6), x / shape[1] - rng.uniform(0.4, 0.6)) / 0.7
    scene.picture *= 1 - rng.uniform(0.3, 0.7) * np.clip(away, 0, 1.3) ** rng.uniform(2, 4)


@nuisance("whiteboard", "light")
def _whiteboard(scene, rng):
    """A board with the lamps' glare, and with what was wiped off."""
    shape = scene.picture.shape
    across, along = _coordinates(shape, rng.uniform(0, 360))
    wiped = np.clip(_clouds(rng, shape, 12), 0, 2)
    streaks = np.clip(np.sin(across / rng.uniform(8, 20) + _clouds(rng, shape, 40)), 0, 1)
    scene.picture -= rng.uniform(5, 18) * wiped * streaks
    scene.picture *= 0.82 - 0.25 * rng.random() * (along - along.min()) / np.ptp(along)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(int(rng.integers(1, 3))):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        away = np.hypot((y - cy) / rng.uniform(20, 60), (x - cx) / rng.uniform(40, 160))
        glare = np.exp(-(away**2))
        top, left, bottom, right = scene.box
        if glare[max(top - 10, 0) : bottom + 10, max(left - 10, 0) : right + 10].max() > 0.6:
            glare *= 0.5
        scene.picture += (250 - scene.picture) * glare


@nuisance("blackboard", "light")
def _blackboard(scene, rng):
    """Chalk on a board that was wiped with a dry cloth."""
    shape = scene.picture.shape
    share = np.clip((made.PAPER - scene.picture) / (made.PAPER - made.INK), 0, 1)
    chalk = share * np.clip(0.85 + rng.uniform(0.1, 0.3) * rng.normal(size=shape), 0, 1)
    smear = np.clip(_clouds(rng, shape, rng.uniform(15, 40)), -0.5, 2) + 0.3 * _clouds(rng, shape, 3)
    board = rng.uniform(40, 80) + rng.uniform(6, 18) * smear
    scene.picture = board + (rng.uniform(190, 240) - board) * chalk


@nuisance("thermal paper", "ink")
def _thermal(scene, rng):
    """A receipt that has faded, more at one end, with lines that the print head left out."""
    shape = scene.ink.shape
    scene.paper -= rng.uniform(0, 25)
    ends = rng.uniform(0.25, 1, 2)
    faded = np.linspace(*ends, shape[0])[:, None] * np.ones(shape[1])
    faded = np.clip(faded + 0.06 * _clouds(rng, shape, 6), 0.2, 1)
    for x in rng.integers(0, shape[1], int(rng.integers(0, 25))):
        faded[:, x] *= 0.2
    scene.ink = scene.ink * faded.astype(np.float32)


# ---- around


def _wood(rng, shape):
    across, along = _coordinates(shape, rng.uniform(0, 180))
    rings = across / rng.uniform(4, 14) + 2.5 * _clouds(rng, shape, 60) + 0.004 * along
    fibre = _blurred(rng.normal(size=shape), 1)
    return rng.uniform(60, 150) + rng.uniform(6, 25) * np.sin(rings) + 12 * fibre


@nuisance("slanted desk", "around")
def _slanted_desk(scene, rng):
    """The edge of the sheet runs slanted, and beside it lies a desk of wood."""
    shape = scene.picture.shape
    top, left, bottom, right = scene.box
    room = [top, shape[0] - bottom, left, shape[1] - right]
    side = int(np.argmax(room))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    away, along = ((y, x), (shape[0] - 1 - y, x), (x, y), (shape[1] - 1 - x, y))[side]
    slope = np.tan(np.radians(rng.uniform(3, 15))) * rng.choice([-1, 1])
    middle = (left + right) / 2 if side < 2 else (top + bottom) / 2
    reach = rng.uniform(20, min(160, room[side] - 8)) if room[side] > 30 else 20
    # Beside the digit the edge keeps clear of it; elsewhere it may come nearer.
    edge = reach + slope * (along - middle)
    half = (right - left if side < 2 else bottom - top) / 2
    edge -= max(0.0, float(reach + abs(slope) * half - room[side] + 6))
    share = np.clip(edge - away + 0.5, 0, 1)
    scene.picture += share * (_wood(rng, shape) - scene.picture)


@nuisance("torn notebook", "around")
def _torn_notebook(scene, rng):
    """The holes of a spiral along an edge, some of them torn out, over something darker."""
    shape = scene.picture.shape
    room = scene.box[:2]
    side = int(np.argmax(room))
    length = shape[1 - side]
    pitch, size = rng.uniform(28, 45), rng.uniform(8, 14)
    deep = min(rng.uniform(14, 26), room[side] - size - 8)
    if deep < size / 2 + 2:
        return
    finer = _clouds(rng, (1, length + 2), 2)[0]
    level = rng.uniform(40, 140)

    def draw(pencil):
        def at(along, away):
            return (2 * along, 2 * away) if side == 0 else (2 * away, 2 * along)

        ragged = [at(0, -2), *(at(k, 3 + 1.5 * finer[k]) for k in range(length)), at(length, -2)]
        pencil.polygon(ragged, fill=255)
        for k in np.arange(rng.uniform(0, pitch), length, pitch):
            torn = rng.random() < 0.4
            (x0, y0), (x1, y1) = at(k - size / 2, -2 if torn else deep - size / 2), at(k + size / 2, deep + size / 2)
            pencil.rounded_rectangle((x0, y0, x1, y1), radius=size / 2, fill=255)

    scene.picture += _mask(shape, draw) * (level - scene.picture)


# ---- camera


@nuisance("screen", "camera")
def _screen(scene, rng):
    """A photograph of a screen: its pixels beat with the camera's."""
    shape = scene.picture.shape
    across, along = _coordinates(shape, rng.uniform(-8, 8))
    pitch = rng.uniform(2.1, 4.2)
    for axis in (across, along):
        scene.picture -= rng.uniform(4, 14) * np.sin(2 * np.pi * axis / pitch)
        waves = axis / rng.uniform(12, 60) + 0.8 * np.sin(along / rng.uniform(100, 200))
        scene.picture -= rng.uniform(2, 9) * np.sin(2 * np.pi * waves)
    scene.picture = _blurred(scene.picture, rng.uniform(0.4, 0.9))


@nuisance("perspective", "camera")
def _perspective(scene, rng):
    """The sheet seen at a slant, up to 20 degrees about both axes, and turned by up to 5."""
    shape = scene.picture.shape
    tilt, pan, roll = np.radians([rng.uniform(-20, 20), rng.uniform(-20, 20), rng.uniform(-5, 5)])
    c, s = np.cos(roll), np.sin(roll)
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_y = np.array([[np.cos(pan), 0, np.sin(pan)], [0, 1, 0], [-np.sin(pan), 0, np.cos(pan)]])
    turn = about_x @ about_y @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    top, left, bottom, right = scene.box
    far = 1.2 * max(shape)
    middle = np.array([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2], [0, 0, 1]])
    eye = np.array([[far, 0, 0], [0, far, 0], [0, 0, 1]])
    plane = np.column_stack([turn[:, 0], turn[:, 1], np.array([0, 0, far])])
    forward = np.linalg.inv(middle) @ eye @ plane @ middle
    back = np.linalg.inv(forward)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    u, v, w = (back[k, 0] * x + back[k, 1] * y + back[k, 2] for k in range(3))
    u, v = np.clip(u / w, 0, shape[1] - 1.001), np.clip(v / w, 0, shape[0] - 1.001)
    x0, y0 = u.astype(int), v.astype(int)
    a, b = u - x0, v - y0
    p = scene.picture
    scene.picture = (
        p[y0, x0] * (1 - a) * (1 - b)
        + p[y0, x0 + 1] * a * (1 - b)
        + p[y0 + 1, x0] * (1 - a) * b
        + p[y0 + 1, x0 + 1] * a * b
    ).astype(np.float32)
