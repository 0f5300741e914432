"""From a template to drawings that all differ, the way people's drawings do.

Everything is drawn from the generator handed in and computed for all drawings of a template at once.
Lengths here are shares of a template's height of 100 until the end, where a drawing becomes about 1 high.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lenet_gpu.handwriting.templates import SAMPLES, Template

Drawing = list[np.ndarray]
"""The strokes of one drawing, each (n, 2) float64: x right, y down."""

TRIES = 8
"""Number of times a drawing is made anew that could be taken for another digit; the last one stays."""

STRAY = 2.4
"""Standard deviation of a turning point about its position."""

DENSITIES = (7.0, 9.0, 12.0, 17.0, 24.0, 34.0)
"""Points per unit height of ink: fast pens on slow devices leave polygons."""


def write(rng: np.random.Generator, template: Template, n: int) -> list[Drawing]:
    """Draw a template many times.

    Args:
        rng: The source of all chance.
        template: The template.
        n: Number of drawings.

    Returns:
        n drawings, about 1 high, about the origin.
    """
    strokes = _drawn(rng, template, n)
    for _ in range(TRIES):
        wrong = np.flatnonzero(~_fine(strokes, template))
        if not len(wrong):
            break
        for curve, again in zip(strokes, _drawn(rng, template, len(wrong)), strict=True):
            curve[wrong] = again
    return _sampled(rng, strokes)


def chosen_templates(rng: np.random.Generator, n: int, templates: tuple[Template, ...]) -> np.ndarray:
    """Choose among templates as `draw_templates` does first, (n,) indices."""
    weights = np.array([template.weight for template in templates])
    return rng.choice(len(templates), n, p=weights / weights.sum())


def draw_templates(rng: np.random.Generator, n: int, templates: tuple[Template, ...]) -> list[Drawing]:
    """Draw any of some templates, each as often as its weight asks, in random order.

    Args:
        rng: The source of all chance.
        n: Number of drawings.
        templates: The templates to choose from.

    Returns:
        n drawings.
    """
    chosen = chosen_templates(rng, n, templates)
    drawings: list[Drawing] = [[] for _ in range(n)]
    for k, template in enumerate(templates):
        indices = np.flatnonzero(chosen == k)
        if len(indices):
            for index, drawing in zip(indices.tolist(), write(rng, template, len(indices)), strict=True):
                drawings[index] = drawing
    return drawings


def draw_labelled(
    rng: np.random.Generator, labels: np.ndarray, styles: Mapping[int, tuple[Template, ...]]
) -> list[Drawing]:
    """Draw the signs that labels name, each in a style chosen by how common it is.

    Args:
        rng: The source of all chance.
        labels: (n,) integers, keys of `styles`.
        styles: The templates of each sign.

    Returns:
        n drawings.
    """
    drawings: list[Drawing] = [[] for _ in labels]
    for label, templates in styles.items():
        indices = np.flatnonzero(labels == label)
        for index, drawing in zip(indices.tolist(), draw_templates(rng, len(indices), templates), strict=True):
            drawings[index] = drawing
    return drawings


def _drawn(rng: np.random.Generator, template: Template, n: int) -> list[np.ndarray]:
    """Draw the strokes of n drawings, finely sampled: for each stroke (n, SAMPLES, 2)."""
    jitter = np.exp(0.35 * rng.standard_normal(n)).clip(0.5, 2.0) * template.wobble  # (n,)
    points = _pose(rng, template, jitter)  # (n, points, 2)
    strokes, at = [], 0
    for k, basis in enumerate(template.bases):
        turning = points[:, at : at + basis.shape[1]]
        at += basis.shape[1]
        turning = _overshoot(rng, turning, jitter)
        if k:
            turning = _displaced(rng, turning, jitter)
        curve = np.einsum("sp,npc->nsc", basis, turning)  # (n, SAMPLES, 2)
        curve = _trimmed(rng, curve, template.cut if k == 0 else (0.0, 0.02))
        strokes.append(_rounded(rng, curve))
    strokes = _warped(rng, strokes, template.lean)
    return [_tremor(rng, _hooked(rng, curve), jitter) for curve in strokes]


def _fine(strokes: list[np.ndarray], template: Template) -> np.ndarray:
    """Tell which drawings keep the limits of their template: (n,) bool."""
    points = np.concatenate(strokes, axis=1)  # (n, all samples, 2)
    width, height = np.moveaxis(points.max(axis=1) - points.min(axis=1), 1, 0)
    fine = width <= template.widest * height
    return fine if template.rise is None else fine & _within(strokes[0], *template.rise)


def _within(curve: np.ndarray, least: float, greatest: float) -> np.ndarray:
    """Tell whether the line from the top left to the top right of a stroke rises as it should: (n,) bool."""
    rows, samples = np.arange(len(curve)), np.arange(SAMPLES)
    x, y = curve[..., 0], curve[..., 1]
    right = np.argmax(x - y, axis=1)
    left = np.argmin(np.where(samples <= right[:, None], x + y, np.inf), axis=1)
    width, rise = x[rows, right] - x[rows, left], y[rows, left] - y[rows, right]
    # A level bar has to be one: with next to no width it would be the serif of a 1.
    wide = (width > 0.3) | (greatest > 1.0)
    return (rise >= least * width) & (rise <= greatest * width) & wide


def _pose(rng: np.random.Generator, template: Template, jitter: np.ndarray) -> np.ndarray:
    """Mix the poses at random, or go a little beyond, every point a little astray: (n, points, 2)."""
    poses, points, _ = template.poses.shape
    shares = rng.dirichlet(np.full(poses, 0.8), len(jitter))  # (n, poses)
    shares = 1.15 * shares - 0.15 / poses
    drawn = np.einsum("nk,kpc->npc", shares, template.poses)
    return drawn + STRAY * jitter[:, None, None] * rng.standard_normal((len(jitter), points, 2))


def _overshoot(rng: np.random.Generator, points: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Begin and end a stroke a little early or late, along its direction."""
    points = points.copy()
    for end, neighbour in ((0, 1), (-1, -2)):
        along = points[:, end] - points[:, neighbour]
        length = np.linalg.norm(along, axis=1) + 1e-9
        # At most by a third of the piece: a dot stays a dot.
        by = np.clip(2.5 * jitter * rng.standard_normal(len(points)), -length / 3, length / 3)
        points[:, end] += along * (by / length)[:, None]
    return points


def _displaced(rng: np.random.Generator, points: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Set the pen down a little beside where a further stroke belongs, a little turned and of another size."""
    n = len(points)
    center = points.mean(axis=1, keepdims=True)
    size = np.exp(0.10 * rng.standard_normal(n))[:, None, None]
    turned = _turn(points - center, np.radians(4.5) * jitter * rng.standard_normal(n))
    return center + size * turned + 2.8 * jitter[:, None, None] * rng.standard_normal((n, 1, 2))


def _turn(points: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turn (n, points, 2) about the origin by angles (n,)."""
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([c * x - s * y, s * x + c * y], axis=-1)


def _at(curve: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Read the curve (n, samples, 2) at positions (n, m) counted in samples: (n, m, 2), linear in between."""
    low = np.clip(positions.astype(np.int64), 0, curve.shape[1] - 2)
    share = (positions - low)[..., None]
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
    bend, taper, sag, tip = (s * rng.standard_normal((n, 1)) for s in (0.14, 0.20, 0.10, 0.08))
    balance = 0.24 * rng.standard_normal((n, 1))
    aspect = np.exp(np.clip(0.22 * rng.standard_normal((n, 1)), -0.45, 0.5))
    slant = np.clip(lean * (0.12 + 0.20 * rng.standard_normal((n, 1))), -0.25, 0.6)
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
        angle = np.clip(rng.standard_normal(n), -1.7, 1.7) * (rng.random(n) < 0.3)
        # Of a long stroke a smaller share: hooks are as long as the writer's fingers make them.
        length = np.linalg.norm(np.diff(curve, axis=1), axis=2).sum(axis=1)
        start = SAMPLES - 2 - (rng.random(n) * np.clip(5.0 / (length + 0.5), 1.0, 4.0)).astype(np.int64)
        pivot = curve[np.arange(n), start][:, None]
        turned = pivot + _turn(curve - pivot, angle)
        curve = np.where((np.arange(SAMPLES) > start[:, None])[..., None], turned, curve)
    return curve[:, ::-1]


def _tremor(rng: np.random.Generator, curve: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Shake the pen a little, smoothly: once finely, once in long sways."""
    n = len(curve)
    for knots, most in ((SAMPLES // 5, 0.006), (4, 0.03)):
        noise = rng.standard_normal((n, knots, 2))
        positions = np.broadcast_to(np.linspace(0.0, knots - 1, SAMPLES), (n, SAMPLES))
        amplitude = most * jitter * rng.random(n)
        curve = curve + amplitude[:, None, None] * _at(noise, positions)
    return curve


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
            positions = np.broadcast_to(np.linspace(0.0, SAMPLES - 1, count), (len(which), count))
            for i, stroke in zip(which.tolist(), _at(curve[which], positions), strict=True):
                drawings[i].append(stroke)
    return drawings
