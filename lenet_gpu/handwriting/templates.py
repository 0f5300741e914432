"""Templates of handwriting: text with the turning points of the pen, and the smooth curve through them.

A template's text is a line of points ``x,y`` in a box of about 100 x 100 (x right, y down), in the order of the
pen. A bar ``|`` lifts the pen, an exclamation mark after a point makes it a corner. A template holds one or more
poses: the same shape with its points elsewhere (a longer flag, a smaller loop). Anything between the poses is a
possible drawing, so a handful of poses spans a continuum. The files are in `styles/`.

The curve is a centripetal Catmull-Rom spline. Its knots come from the average pose and stay fixed, which makes
every sample of the curve a fixed linear combination of the points: one matrix a stroke draws thousands at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

STYLES_FOLDER = Path(__file__).resolve().parent / "styles"
"""The files of templates."""

SAMPLES = 48
"""Samples along a stroke."""

LONG = 25.0
"""A straight piece at least this long gets a point in its middle, so that it can bow."""

DOT = 3.0
"""Length of the line that a single point becomes."""


@dataclass(frozen=True)
class Template:
    """One way to write a sign.

    Attributes:
        name: Unique among its kind, e.g. "7 barred".
        weight: How common it is beside the others of the same sign.
        poses: (poses, points, 2) float64 turning points, all strokes one after the other.
        bases: For each stroke (SAMPLES, points of the stroke) float64: turning points to samples.
        cut: Least and greatest share of the first stroke's end that is left undrawn. A template of a closed
            loop runs on past its beginning, and this decides between overlap and gap.
        lean: How far slant and rotation may go, relative to the usual.
        wobble: How far the points may stray, relative to the usual.
        rise: Least and greatest rise of the first line per unit of width, up to the top right corner of the
            first stroke; drawings beyond it are drawn anew. What tells a flag from a level bar.
        widest: Greatest width per unit of height; wider drawings are drawn anew.
    """

    name: str
    weight: float
    poses: np.ndarray
    bases: tuple[np.ndarray, ...]
    cut: tuple[float, float] = (0.0, 0.02)
    lean: float = 1.0
    wobble: float = 1.0
    rise: tuple[float, float] | None = None
    widest: float = np.inf


def read_styles(name: str, sign: str = "", widest: float = np.inf) -> tuple[Template, ...]:
    """Read a file of templates from `styles/` (see `read_templates`).

    Args:
        name: Name of the file, without .txt.
        sign: Put before every template's name.
        widest: See `Template`; for all of them.

    Returns:
        The templates in the file's order, their curves prepared.
    """
    return read_templates((STYLES_FOLDER / f"{name}.txt").read_text(encoding="utf-8"), sign, widest)


def read_templates(text: str, sign: str = "", widest: float = np.inf) -> tuple[Template, ...]:
    """Read templates from text.

    A line that begins at the margin begins a template: its name, its weight, then options ``cut=least,greatest``,
    ``rise=least,greatest``, ``lean=`` and ``wobble=`` (see `Template`). Indented lines below it are its poses. Lines
    that begin with a number sign ``#`` at the margin are comments.

    Args:
        text: Any number of templates.
        sign: Put before every name.
        widest: See `Template`; for all of them.

    Returns:
        The templates, their curves prepared.

    Raises:
        ValueError: The poses of a template do not match.
    """
    templates: list[Template] = []
    header, poses = "", list[str]()
    for line in [*text.splitlines(), "end"]:
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            poses.append(line)
            continue
        if poses:
            templates.append(_template(header, poses, sign, widest))
        header, poses = line, []
    return tuple(templates)


def _template(header: str, texts: list[str], sign: str, widest: float) -> Template:
    words = header.split()
    options = dict(word.split("=") for word in words if "=" in word)
    *name, weight = (word for word in words if "=" not in word)
    full_name = " ".join([sign, *name] if sign else name)
    read = [[_read_stroke(stroke) for stroke in text.split("|")] for text in texts]
    shapes = {tuple((len(points), tuple(corners)) for points, corners in strokes) for strokes in read}
    if len(shapes) != 1:
        raise ValueError(f"the poses of {full_name!r} differ in their strokes, points or corners")
    # What is straight in the first pose decides where middles go, so that all poses get the same.
    refined = [[_with_middles(points, read[0][i]) for i, (points, _) in enumerate(strokes)] for strokes in read]
    poses = np.array([np.concatenate(strokes) for strokes in refined])  # (poses, points, 2)
    average, bases, at = poses.mean(axis=0), [], 0
    for marks in (_corners(*stroke) for stroke in read[0]):
        bases.append(spline(average[at : at + len(marks)], marks))
        at += len(marks)
    return Template(
        name=full_name,
        weight=float(weight),
        poses=poses,
        bases=tuple(bases),
        cut=_range(options.get("cut", "0,0.02")),
        lean=float(options.get("lean", 1.0)),
        wobble=float(options.get("wobble", 1.0)),
        rise=_range(options["rise"]) if "rise" in options else None,
        widest=widest,
    )


def _range(text: str) -> tuple[float, float]:
    least, greatest = (float(number) for number in text.split(","))
    return least, greatest


def _read_stroke(text: str) -> tuple[np.ndarray, list[bool]]:
    words = text.split()
    points = np.array([[float(number) for number in word.rstrip("!").split(",")] for word in words])
    corners = [word.endswith("!") for word in words]
    if len(points) == 1:
        points = np.concatenate([points, points + np.array([[DOT * 0.6, DOT * 0.8]])])
        corners = [False, False]
    return points, corners


def _straight(points: np.ndarray, corners: list[bool]) -> list[bool]:
    """Find the pieces that stand alone between two corners or ends, and are long."""
    ends = [i in (0, len(points) - 1) or corner for i, corner in enumerate(corners)]
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return [ends[i] and ends[i + 1] and bool(lengths[i] >= LONG) for i in range(len(points) - 1)]


def _with_middles(points: np.ndarray, first: tuple[np.ndarray, list[bool]]) -> np.ndarray:
    out = [points[0]]
    for i, middle in enumerate(_straight(*first)):
        if middle:
            out.append((points[i] + points[i + 1]) / 2)
        out.append(points[i + 1])
    return np.array(out)


def _corners(points: np.ndarray, corners: list[bool]) -> list[bool]:
    out = [False]
    for i, middle in enumerate(_straight(points, corners)):
        out += [False, corners[i + 1]] if middle else [corners[i + 1]]
    return out


def spline(points: np.ndarray, corners: list[bool], samples: int = SAMPLES) -> np.ndarray:
    """Return the matrix from a stroke's turning points to samples of a smooth curve through them.

    A centripetal Catmull-Rom spline between corners: each piece is a cubic with the tangents of the parabolas
    through neighbouring points (Catmull and Rom 1974; the square roots of the chords as knots keep it from
    looping where points lie close together).

    Args:
        points: (points, 2), where the knots and the share of the samples for each piece come from.
        corners: For each point whether the curve may turn sharply there.
        samples: Number of samples.

    Returns:
        (samples, points) float64, rows summing to 1; the first and last sample are the first and last point.
    """
    count = len(points)
    chords = np.maximum(np.linalg.norm(np.diff(points, axis=0), axis=1), 1e-3)
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(chords))])
    unit = np.eye(count)
    slopes = np.diff(unit, axis=0) / np.diff(knots)[:, None]  # (points - 1, points)
    breaks = [0, *(i for i in range(1, count - 1) if corners[i]), count - 1]
    # A knot per sample, spread by length: as many samples a unit of ink in every piece.
    lengths = np.concatenate([[0.0], np.cumsum(chords)])
    at = np.interp(np.linspace(0.0, lengths[-1], samples), lengths, knots)
    piece = np.minimum(np.searchsorted(knots, at, side="right") - 1, count - 2)
    matrix = np.zeros((samples, count))
    for first, last in pairwise(breaks):
        tangents = {i: _tangent(slopes, knots, i) for i in range(first + 1, last)}
        if last - first == 1:
            tangents[first] = tangents[last] = slopes[first]
        else:  # at the ends, no curvature
            tangents[first] = 1.5 * slopes[first] - 0.5 * tangents[first + 1]
            tangents[last] = 1.5 * slopes[last - 1] - 0.5 * tangents[last - 1]
        for i in range(first, last):
            rows = piece == i
            width = knots[i + 1] - knots[i]
            t = ((at[rows] - knots[i]) / width)[:, None]
            matrix[rows] = (
                (2 * t**3 - 3 * t**2 + 1) * unit[i]
                + (t**3 - 2 * t**2 + t) * width * tangents[i]
                + (3 * t**2 - 2 * t**3) * unit[i + 1]
                + (t**3 - t**2) * width * tangents[i + 1]
            )
    return matrix


def _tangent(slopes: np.ndarray, knots: np.ndarray, i: int) -> np.ndarray:
    before, after = knots[i] - knots[i - 1], knots[i + 1] - knots[i]
    return (slopes[i - 1] * after + slopes[i] * before) / (before + after)
