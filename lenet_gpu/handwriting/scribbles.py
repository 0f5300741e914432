"""Drawings without any meaning: tangles, zigzags, hatching, bundles of lines, spirals, specks and blobs."""

from __future__ import annotations

import numpy as np

from lenet_gpu.handwriting.templates import spline
from lenet_gpu.handwriting.variation import Drawing


def tangle(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw smooth curves through 8 to 16 random points of a box."""
    return [[_through(_box(rng) * rng.random((rng.integers(8, 17), 2)))] for _ in range(n)]


def walk(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw with a pen that wanders at an even pace, bending now to one side and now to the other, 8 to 11 times."""
    steps, drawings = 120, list[Drawing]()
    for _ in range(n):
        # Sides alternate: a pen that keeps to one side would write a 0, a 6 or a 9.
        bends = rng.integers(8, 12)
        sides = np.where(np.arange(bends) % 2, 1.0, -1.0) * rng.uniform(0.3, 1.7, bends)
        bend = np.interp(np.linspace(0, bends - 1, steps), np.arange(bends), sides)
        bend *= rng.uniform(3 * np.pi, 8 * np.pi) / np.abs(bend).sum()
        heading = rng.uniform(0, 2 * np.pi) + bend.cumsum()
        drawings.append([np.stack([np.cos(heading), np.sin(heading)], axis=1).cumsum(axis=0) / 30.0])
    return drawings


def loops(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw rows of loops, as when trying out a pen."""
    drawings: list[Drawing] = []
    for _ in range(n):
        turns = rng.integers(4, 9)
        t = np.linspace(0.0, 2 * np.pi * turns, 16 * turns)
        size = 1.0 + 0.3 * np.interp(t, np.linspace(0, t[-1], turns + 1), rng.standard_normal(turns + 1))
        travel = rng.uniform(0.6, 1.6) * t / (2 * np.pi)
        drawing = np.stack([travel + 0.7 * size * np.cos(t), size * np.sin(t)], axis=1)
        drawings.append([_rotated(drawing, rng.uniform(-0.6, 0.6))])
    return drawings


def zigzag(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw sharp turns, to and fro, 5 to 14 of them, in any direction."""
    drawings: list[Drawing] = []
    for _ in range(n):
        count = rng.integers(7, 16)
        side = np.where(np.arange(count) % 2, 0.5, -0.5) * rng.uniform(0.5, 1.2, count)
        along = np.sort(rng.random(count)) * rng.uniform(0.7, 1.6)
        drawings.append([_rotated(np.stack([along, side], axis=1), rng.uniform(0, 2 * np.pi))])
    return drawings


def hatching(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw an area filled by a pen going to and fro, once or crosswise."""
    drawings: list[Drawing] = []
    for _ in range(n):
        strokes = []
        first = rng.uniform(0, np.pi)
        for layer in range(rng.integers(1, 3)):
            count = rng.integers(10, 24)
            side = np.where(np.arange(count) % 2, 0.5, -0.5) * rng.uniform(0.7, 1.1, count)
            along = np.linspace(-0.5, 0.5, count) + 0.03 * rng.standard_normal(count)
            strokes.append(_rotated(np.stack([along, side], axis=1), first + layer * rng.uniform(0.8, 2.2)))
        drawings.append(strokes)
    return drawings


def bundle(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw 4 to 9 straight lines in any directions."""
    drawings: list[Drawing] = []
    for _ in range(n):
        ends = rng.random((rng.integers(4, 10), 2, 2))
        drawings.append([pair[0] + np.linspace(0, 1, 8)[:, None] * (pair[1] - pair[0]) for pair in ends])
    return drawings


def spiral(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw spirals of 2.5 to 5 turns: with fewer they would be a 6, a 9 or a 0."""
    drawings: list[Drawing] = []
    for _ in range(n):
        turns = rng.uniform(2.5, 5.0)
        t = np.linspace(0.0, 1.0, 90)
        angle = rng.uniform(0, 2 * np.pi) + 2 * np.pi * turns * t * rng.choice([-1, 1])
        radius = 0.03 + t ** rng.uniform(0.8, 1.2)
        drawings.append([np.stack([radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.7, 1.2)], axis=1)])
    return drawings


def specks(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw a dot, or 2 to 7 dots and dashes too short to mean anything."""
    drawings: list[Drawing] = []
    for _ in range(n):
        count = rng.choice([1, 2, 3, 4, 5, 6, 7], p=[0.3, 0.1, 0.12, 0.12, 0.12, 0.12, 0.12])
        if count == 1:  # a single point: with any extent it would be blown up to a stroke
            drawings.append([rng.random((1, 2))])
            continue
        at = rng.random((count, 2))
        if count == 2:  # far apart, side by side: one above the other would be a colon, or a 1
            at = at * [0.2, 0.3] + [[0.0, 0.0], [0.8, 0.0]]
        drawings.append([point + 0.03 * rng.standard_normal((3, 2)).cumsum(axis=0) for point in at])
    return drawings


def blob(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw a patch of many short strokes, as noise leaves it."""
    drawings: list[Drawing] = []
    for _ in range(n):
        at = 0.4 * rng.standard_normal((rng.integers(12, 40), 1, 2)) * _box(rng)
        drawings.append(list(at + 0.08 * rng.standard_normal((len(at), 4, 2)).cumsum(axis=1)))
    return drawings


def polygon(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw closed figures of 5 to 9 corners that cross themselves."""
    drawings: list[Drawing] = []
    for _ in range(n):
        corners = _box(rng) * rng.random((rng.integers(5, 10), 2))
        drawings.append([np.concatenate([corners, corners[:1]])])
    return drawings


def _box(rng: np.random.Generator) -> np.ndarray:
    """Draw the width and height of a box, neither much longer than the other."""
    return np.exp(0.25 * rng.standard_normal(2))


def _rotated(points: np.ndarray, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def _through(points: np.ndarray) -> np.ndarray:
    return spline(points, [False] * len(points), 8 * len(points)) @ points
