"""From a template to drawings that all differ, the way people's drawings do.

Everything is drawn from the generator handed in and computed for all drawings of a template at once.
Lengths here are shares of a template's height of 100 until the end, where a drawing becomes about 1 high.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.handwriting.templates import SAMPLES, Template

Drawing = list[np.ndarray]
"""The strokes of one drawing, each (n, 2) float64: x right, y down."""

STRAY = 2.0
"""Standard deviation of a turning point about its place."""

DENSITIES = (7.0, 9.0, 12.0, 17.0, 24.0, 34.0)
"""Points per unit height of ink: fast pens on slow devices leave polygons."""


def write(rng: np.random.Generator, template: Template, n: int) -> list[Drawing]:
    """Draw a template many times.

    Args:
        rng: Where all chance comes from.
        template: What to draw.
        n: Number of drawings.

    Returns:
        n drawings, about 1 high, about the origin.
    """
    mess = np.exp(0.35 * rng.standard_normal(n)).clip(0.5, 2.0) * template.wobble  # (n,)
    points = _pose(rng, template, mess)  # (n, points, 2)
    strokes, at = [], 0
    for k, basis in enumerate(template.bases):
        own = points[:, at : at + basis.shape[1]]
        at += basis.shape[1]
        own = _overshoot(rng, own, mess)
        if k:
            own = _displaced(rng, own, mess)
        curve = np.einsum("sp,npc->nsc", basis, own)  # (n, SAMPLES, 2)
        curve = _trimmed(rng, curve, template.cut if k == 0 else (0.0, 0.02))
        strokes.append(_rounded(rng, curve))
    strokes = _warped(rng, strokes, template.lean)
    strokes = [_tremor(rng, _hooked(rng, curve), mess) for curve in strokes]
    return _sampled(rng, strokes)


def _pose(rng: np.random.Generator, template: Template, mess: np.ndarray) -> np.ndarray:
    """Somewhere between the poses, or a little beyond, with every point a little astray: (n, points, 2)."""
    poses, points, _ = template.poses.shape
    shares = rng.dirichlet(np.full(poses, 0.8), len(mess))  # (n, poses)
    shares = 1.15 * shares - 0.15 / poses
    drawn = np.einsum("nk,kpc->npc", shares, template.poses)
    return drawn + STRAY * mess[:, None, None] * rng.standard_normal((len(mess), points, 2))


def _overshoot(rng: np.random.Generator, points: np.ndarray, mess: np.ndarray) -> np.ndarray:
    """Begin and end a stroke a little early or late, along its own direction."""
    points = points.copy()
    for end, neighbour in ((0, 1), (-1, -2)):
        along = points[:, end] - points[:, neighbour]
        length = np.linalg.norm(along, axis=1) + 1e-9
        # At most by a third of the piece: a dot stays a dot.
        by = np.clip(2.5 * mess * rng.standard_normal(len(points)), -length / 3, length / 3)
        points[:, end] += along * (by / length)[:, None]
    return points


def _displaced(rng: np.random.Generator, points: np.ndarray, mess: np.ndarray) -> np.ndarray:
    """Set the pen down a little beside where a further stroke belongs, a little turned and of another size."""
    n = len(points)
    centre = points.mean(axis=1, keepdims=True)
    size = np.exp(0.06 * rng.standard_normal(n))[:, None, None]
    turned = _turn(points - centre, np.radians(3.5) * mess * rng.standard_normal(n))
    return centre + size * turned + 2.2 * mess[:, None, None] * rng.standard_normal((n, 1, 2))


def _turn(points: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turn (n, points, 2) about the origin by angles (n,)."""
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([c * x - s * y, s * x + c * y], axis=-1)


def _at(curve: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The curve (n, samples, 2) at places (n, m) counted in samples: (n, m, 2), linear in between."""
    low = np.clip(places.astype(np.int64), 0, curve.shape[1] - 2)
    share = (places - low)[..., None]
    rows = np.arange(len(curve))[:, None]
    return (1.0 - share) * curve[rows, low] + share * curve[rows, low + 1]


def _trimmed(rng: np.random.Generator, curve: np.ndarray, cut: tuple[float, float]) -> np.ndarray:
    kept = 1.0 - rng.uniform(*cut, len(curve))
    return _at(curve, kept[:, None] * np.linspace(0.0, SAMPLES - 1, SAMPLES))


def _rounded(rng: np.random.Generator, curve: np.ndarray) -> np.ndarray:
    """Round the corners, more or less: hasty writing does not stop to turn."""
    smooth = curve.copy()
    for _ in range(6):
        smooth[:, 1:-1] = 0.25 * smooth[:, :-2] + 0.5 * smooth[:, 1:-1] + 0.25 * smooth[:, 2:]
    share = (rng.random(len(curve)) ** 1.5)[:, None, None]
    return (1.0 - share) * curve + share * smooth


def _warped(rng: np.random.Generator, strokes: list[np.ndarray], lean: float) -> list[np.ndarray]:
    """Bend, taper, stretch, slant and turn whole drawings; from here on 1 is the height."""
    n = len(strokes[0])
    bend, taper, sag, tip = (s * rng.standard_normal((n, 1)) for s in (0.10, 0.16, 0.08, 0.06))
    balance = 0.18 * rng.standard_normal((n, 1))
    aspect = np.exp(np.clip(0.17 * rng.standard_normal((n, 1)), -0.35, 0.4))
    slant = np.clip(lean * (0.10 + 0.17 * rng.standard_normal((n, 1))), -0.22, 0.5)
    angle = np.clip(lean * np.radians(4.0) * rng.standard_normal(n), -0.16, 0.16)
    out = []
    for curve in strokes:
        x, y = curve[..., 0] / 100.0 - 0.45, curve[..., 1] / 100.0 - 0.5
        x, y = (
            x * (1.0 + taper * 2.0 * y) + bend * (y * y - 0.08),
            y + balance * (0.25 - y * y) + sag * (x * x - 0.05) + tip * x * y,
        )
        out.append(_turn(np.stack([aspect * x - slant * y, y], axis=-1), angle))
    return out


def _hooked(rng: np.random.Generator, curve: np.ndarray) -> np.ndarray:
    """Turn the last bit of some strokes' ends aside: the pen landing or leaving in motion."""
    n = len(curve)
    for reverse in (False, True):
        curve = curve[:, ::-1] if reverse else curve
        angle = rng.normal(0.0, 1.0, n) * (rng.random(n) < 0.3)
        start = SAMPLES - 1 - rng.integers(1, 5, n)  # the hook is 1 to 4 of the samples
        pivot = curve[np.arange(n), start][:, None]
        turned = pivot + _turn(curve - pivot, angle)
        curve = np.where((np.arange(SAMPLES) > start[:, None])[..., None], turned, curve)
    return curve[:, ::-1]


def _tremor(rng: np.random.Generator, curve: np.ndarray, mess: np.ndarray) -> np.ndarray:
    """Shake the pen a little, smoothly."""
    n, knots = len(curve), SAMPLES // 5
    noise = rng.standard_normal((n, knots, 2))
    places = np.broadcast_to(np.linspace(0.0, knots - 1, SAMPLES), (n, SAMPLES))
    amplitude = 0.006 * mess * rng.random(n)
    return curve + amplitude[:, None, None] * _at(noise, places)


def _sampled(rng: np.random.Generator, strokes: list[np.ndarray]) -> list[Drawing]:
    """Keep as many points as a pen of some speed on some device would have left."""
    n = len(strokes[0])
    density = rng.choice(DENSITIES, n)
    drawings: list[Drawing] = [[] for _ in range(n)]
    for curve in strokes:
        length = np.linalg.norm(np.diff(curve, axis=1), axis=2).sum(axis=1)
        counts = np.clip(np.rint(density * length) + 1, 3, SAMPLES).astype(np.int64)
        for count in np.unique(counts):
            which = np.flatnonzero(counts == count)
            places = np.broadcast_to(np.linspace(0.0, SAMPLES - 1, count), (len(which), count))
            for i, stroke in zip(which.tolist(), _at(curve[which], places), strict=True):
                drawings[i].append(stroke)
    return drawings
