"""The lessons of the teacher's mode, as files in lessons/ hold them.

A lesson's file is an object: "title" by language; "drawings" by name, each a list of strokes of [x, y] in
hundredths of the page from its middle, x right, y down; and "steps". A step has a "text" by language, "reads", what
the shipped model answers then (the tests hold every lesson to it), and, where it changes anything, "drawing" (a
name), "look" ([layer, index]) and "without" (indices of strokes).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .interfaces import Unit

FOLDER = Path(__file__).with_name("lessons")
SIZE = 100.0
"""Steps of the drawings' coordinates in an ink unit."""

POINT_EVERY = 2.0
"""Distance of the points that a drawn line gets, in hundredths of the page: a hand makes about as many."""


@dataclass(frozen=True)
class Step:
    """One step of a lesson.

    Attributes:
        text: By language.
        drawing: Name of the drawing that it is about.
        look: Layer and unit that is taken apart, or None.
        without: Indices of the strokes that are left out.
        reads: What the shipped touch model answers: a digit, or empty for none.
    """

    text: dict[str, str]
    drawing: str
    look: tuple[str, Unit] | None
    without: frozenset[int]
    reads: str


@dataclass(frozen=True, eq=False)
class Lesson:
    """A lesson.

    Attributes:
        title: By language.
        drawings: (n, 2) float32 arrays in ink units, by name.
        steps: In order; each has its drawing.
    """

    title: dict[str, str]
    drawings: dict[str, list[np.ndarray]]
    steps: tuple[Step, ...]


def load_lessons() -> list[Lesson]:
    """Read all lessons, in the order of their files' names."""
    paths = sorted(FOLDER.glob("*.json"))
    return [_lesson(json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def _lesson(values: dict[str, Any]) -> Lesson:
    drawings = {name: [_line(points) for points in strokes] for name, strokes in values["drawings"].items()}
    steps, drawing = [], ""
    for step in values["steps"]:
        drawing = step.get("drawing", drawing)
        look, without = _unit(step.get("look")), frozenset(step.get("without", ()))
        steps.append(Step(step["text"], drawing, look, without, step["reads"]))
    return Lesson(values["title"], drawings, tuple(steps))


def _unit(look: list[Any] | None) -> tuple[str, Unit] | None:
    if look is None:
        return None
    layer, index = look
    return layer, tuple(index) if isinstance(index, list) else index


def _line(points: list[list[float]]) -> np.ndarray:
    """Draw straight from point to point, with as many points as a hand would make, (n, 2) float32 in ink units."""
    corners = np.array(points, dtype=np.float64)
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.union1d(np.linspace(0.0, way[-1], max(round(way[-1] / POINT_EVERY), 1) + 1), way)
    return (np.stack([np.interp(at, way, corners[:, axis]) for axis in (0, 1)], axis=1) / SIZE).astype(np.float32)
