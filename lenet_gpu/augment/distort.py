"""Distorting training images: one bilinear resampling of a 28x28 image onto the 32x32 grid of the input layer.

An image's distortion is a row of eight float32 parameters (see `lenet_gpu.augment.augmentation`, which draws them):

    columns 0-2    x = p0 * u + p1 * v + p2 + p7 * field[p6, 0, row, column]
    columns 3-5    y = p3 * u + p4 * v + p5 + p7 * field[p6, 1, row, column]
    column 6       number of the elastic field, 0 ... FIELDS - 1
    column 7       its amplitude in pixels (root mean square of the displacement; 0: none)

(u, v) is the place of an output pixel and (x, y) the place where the image is read, both in pixels right and down
from the centre of the grid and of the image. The identity is (1, 0, 0, 0, 1, 0, any, 0). Places beyond the image
read background. `distort_reference` says this in plain array code, `Distorter` computes it fast in NumPy, and the
CUDA engine has it in its training kernel.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from lenet_gpu.paper import IMAGE_SIZE, INPUT_SIZE

Array = Any

PARAMETERS = 8
"""Numbers that describe the distortion of one image."""

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
"""The parameters of an image that stays as it is."""

FIELDS = 1024
"""Elastic fields in the table."""

FIELD_SIGMA = 4.0
"""Smoothness of the elastic fields in pixels (Simard, Steinkraus, Platt 2003 recommend 4 for digits)."""

GRID = INPUT_SIZE * INPUT_SIZE

CHUNK = 32
"""Images that `Distorter` works on at a time: fewer pay more for each call of NumPy, more leave the cache."""

_SIDE = 72
"""Side of the table a chunk is read from: the image in the middle of so much background that no place has to be
checked, whatever a sensible distortion does."""

_PACKED = 1024.0
"""See `Distorter`: the step to the right-hand neighbour is stored as 1/1024 of itself."""

_IMAGE_CENTRE = (IMAGE_SIZE - 1) / 2
_GRID_CENTRE = (INPUT_SIZE - 1) / 2
_TABLE_CENTRE = (_SIDE - 1) / 2


@cache
def elastic_fields() -> np.ndarray:
    """The table of elastic displacement fields, the same in every run.

    Uniform noise, smoothed by a Gaussian of `FIELD_SIGMA` pixels (Simard, Steinkraus, Platt 2003, "Best practices
    for convolutional neural networks applied to visual document analysis"), scaled so that a displacement's root
    mean square is 1 pixel. The noise reaches beyond the grid on all sides: fields have no seam at the edge.

    Returns:
        (1024, 2, 32, 32) float32, read-only: displacements to the right and down in pixels, for amplitude 1. In
        memory all displacements to the right come first.
    """
    reach = int(3 * FIELD_SIGMA)
    size = INPUT_SIZE + 2 * reach
    rng = np.random.Generator(np.random.Philox(key=1998))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / FIELD_SIGMA) ** 2)
    # The noise's variance is 1/12, and a filter multiplies it by the sum of its squared taps, once an axis.
    taps *= np.sqrt(np.sqrt(12.0) / (taps**2).sum())
    smooth = np.zeros((INPUT_SIZE, size), dtype=np.float32)
    for row in range(INPUT_SIZE):
        smooth[row, row : row + len(taps)] = taps
    # Components apart, as `Distorter` reads them; a few fields at a time, for all the noise would take 50 MB.
    components = np.empty((2, FIELDS, INPUT_SIZE, INPUT_SIZE), dtype=np.float32)
    fields = components.transpose(1, 0, 2, 3)
    for start in range(0, FIELDS, CHUNK):
        part = fields[start : start + CHUNK]
        noise = rng.random((*part.shape[:2], size, size), dtype=np.float32) - np.float32(0.5)
        part[...] = smooth @ noise @ smooth.T
    fields.flags.writeable = False
    return fields


def distort_reference(xp: Any, images: Array, parameters: Array, fields: Array) -> Array:
    """Distort images; the definition of what distorting means, for any array module.

    Args:
        xp: NumPy or CuPy.
        images: (n, 28, 28) or (n, 784), uint8.
        parameters: (n, 8) float32; see this module.
        fields: `elastic_fields()` on the same backend.

    Returns:
        (n, 32, 32) float32, 0 ... 255: pixels on the grid of the input layer.
    """
    n = len(images)
    # One row and column of background all around: every place beyond the image is as good as one on this frame.
    frame = xp.zeros((n, IMAGE_SIZE + 2, IMAGE_SIZE + 2), dtype="float32")
    frame[:, 1:-1, 1:-1] = images.reshape(n, IMAGE_SIZE, IMAGE_SIZE)
    u = xp.arange(INPUT_SIZE, dtype="float32") - _GRID_CENTRE  # (32,)
    v = u[:, None]  # (32, 1)
    p = [parameters[:, k, None, None] for k in range(PARAMETERS)]  # each (n, 1, 1)
    shift = fields[parameters[:, 6].astype("int32")]  # (n, 2, 32, 32)
    x = p[0] * u + p[1] * v + p[2] + p[7] * shift[:, 0] + (_IMAGE_CENTRE + 1)  # (n, 32, 32)
    y = p[3] * u + p[4] * v + p[5] + p[7] * shift[:, 1] + (_IMAGE_CENTRE + 1)
    last = IMAGE_SIZE + 1
    x, y = xp.clip(x, 0, last), xp.clip(y, 0, last)
    left, top = xp.minimum(xp.floor(x), last - 1), xp.minimum(xp.floor(y), last - 1)
    fx, fy = x - left, y - top
    image, column, row = xp.arange(n)[:, None, None], left.astype("int32"), top.astype("int32")
    upper = frame[image, row, column] * (1 - fx) + frame[image, row, column + 1] * fx
    lower = frame[image, row + 1, column] * (1 - fx) + frame[image, row + 1, column + 1] * fx
    return upper * (1 - fy) + lower * fy


class _Buffers(NamedTuple):
    """Views of a distorter's memory for chunks of one size m."""

    framed: np.ndarray  # (m, 28, 30): the image with a column of background on either side
    pixels: np.ndarray  # (m, 28, 28): the image in there
    here: np.ndarray  # (m * 28 * 30 - 1,): the same pixels, and
    right: np.ndarray  # their right-hand neighbours
    step: np.ndarray  # the difference of the two
    step_rows: np.ndarray  # (m, 28, 29)
    here_rows: np.ndarray  # (m, 28, 29)
    window: np.ndarray  # (m, 28, 29): where table is not background
    affine: np.ndarray  # (2, m, 3)
    affine_rows: np.ndarray  # (2 m, 3): the same
    places: np.ndarray  # (2, m, 1024): x and y; later how far they are from the pixel left and above
    places_rows: np.ndarray  # (2 m, 1024): the same
    floors: np.ndarray  # (2, m, 1024): column and row of the pixel left and above
    shifts: np.ndarray  # (2, m, 1024): elastic displacements
    first: np.ndarray  # (m, 1): where the chunk's images begin in the table
    entry: np.ndarray  # (m, 1024) int64: place in the table, as NumPy wants it; in the memory of shifts
    entry32: np.ndarray  # (m, 1024) int32: on the way there; in the memory of upper
    upper: np.ndarray  # (m, 1024)
    lower: np.ndarray  # (m, 1024): in the memory of the second half of floors


class Distorter:
    """Distorts batch after batch in NumPy, without allocating memory for it.

    How it is fast: coordinates of a whole chunk are one matrix product; each image lies in a table with so much
    background around it that places need not be clamped; and an entry of the table holds two numbers in one
    float32, the pixel and 1/1024 of the step to its right-hand neighbour. Pixels are whole numbers up to 255, so
    rounding gets the pixel back and what is left is the step: two look-ups bring four neighbours.

    Args:
        capacity: Images a call, at most; bounds the memory (55 KiB an image, of at most `CHUNK` images).
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._most = most = max(1, min(capacity, CHUNK))
        self._fields = elastic_fields().transpose(1, 0, 2, 3).reshape(2, FIELDS, GRID)  # a view: each field a row
        v, u = np.divmod(np.arange(GRID), INPUT_SIZE)
        self._basis = np.stack([u - _GRID_CENTRE, v - _GRID_CENTRE, np.ones(GRID)]).astype(np.float32)
        # How far |parameters| can bring a place from the centre, along x and along y.
        edge, farthest = _GRID_CENTRE, float(max(self._fields.max(), -self._fields.min()))
        reach = [[edge, 0], [edge, 0], [1, 0], [0, edge], [0, edge], [0, 1], [0, 0], [farthest, farthest]]
        self._reach = np.array(reach, dtype=np.float32)
        self._table = np.zeros(most * _SIDE * _SIDE, dtype=np.float32)
        self._table_below = self._table[_SIDE:]  # entry k: the pixel below entry k of the table
        self._framed = np.zeros(most * IMAGE_SIZE * (IMAGE_SIZE + 2), dtype=np.float32)
        self._step = np.empty_like(self._framed)
        # Little memory, used over and over, stays in the cache: 7 planes, where each step with its own would take 11.
        self._planes = np.empty(7 * most * GRID, dtype=np.float32)
        self._affine = np.empty(6 * most, dtype=np.float32)
        self._buffers: dict[int, _Buffers] = {}

    def __call__(self, images: np.ndarray, parameters: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Distort images that are already gathered.

        Args:
            images: (n, 784) or (n, 28, 28) uint8.
            parameters: (n, 8) float32; row k belongs to image k.
            out: (n, 1024) float32, rows may be farther apart than 1024; 0 ... 255, see `distort_reference`.

        Returns:
            `out`.
        """
        for start in range(0, len(images), self._most):
            part = slice(start, start + self._most)
            self._chunk(images[part], parameters[part], out[part])
        return out

    def _chunk(self, images: np.ndarray, parameters: np.ndarray, out: np.ndarray) -> None:
        m = len(images)
        b = self._buffers.get(m) or self._carve(m)
        np.copyto(b.pixels, images.reshape(m, IMAGE_SIZE, IMAGE_SIZE), casting="unsafe")
        np.subtract(b.right, b.here, out=b.step)  # across the ends of rows, too: those are not used
        np.multiply(b.step, np.float32(1 / _PACKED), out=b.step)
        np.add(b.here_rows, b.step_rows, out=b.window)
        self._find_places(parameters, b)
        x, y = b.places
        column, row = b.floors
        np.floor(b.places, out=b.floors)
        np.subtract(b.places, b.floors, out=b.places)
        np.multiply(row, np.float32(_SIDE), out=row)
        np.add(row, column, out=row)
        np.add(row, b.first, out=row)  # below 2**24: exact
        # By way of int32: that conversion has a machine instruction of its own, the one to int64 has not.
        np.copyto(b.entry32, row, casting="unsafe")
        np.copyto(b.entry, b.entry32)
        np.multiply(x, np.float32(_PACKED), out=x)
        for line, table in ((b.upper, self._table), (b.lower, self._table_below)):
            np.take(table, b.entry, out=line, mode="clip")  # "clip" saves NumPy a look at every index
            pixel = np.rint(line, out=column)
            np.subtract(line, pixel, out=line)
            np.multiply(line, x, out=line)
            np.add(line, pixel, out=line)
        np.subtract(b.lower, b.upper, out=b.lower)
        np.multiply(b.lower, y, out=b.lower)
        np.add(b.upper, b.lower, out=out)

    def _find_places(self, parameters: np.ndarray, b: _Buffers) -> None:
        """Where in an image's table each pixel of the grid is read, to `b.places`."""
        b.affine[0], b.affine[1] = parameters[:, 0:3], parameters[:, 3:6]
        b.affine[:, :, 2] += np.float32(_TABLE_CENTRE)
        np.matmul(b.affine_rows, self._basis, out=b.places_rows)
        numbers = parameters[:, 6].astype(np.intp)
        np.take(self._fields[0], numbers, axis=0, out=b.shifts[0], mode="clip")
        np.take(self._fields[1], numbers, axis=0, out=b.shifts[1], mode="clip")
        np.multiply(b.shifts, parameters[:, 7:], out=b.shifts)
        np.add(b.places, b.shifts, out=b.places)
        # A pixel of safety on either side: for rounding, and for the row below.
        if not (np.abs(parameters) @ self._reach).max() < _TABLE_CENTRE - 1.5:
            np.clip(b.places, 1, _SIDE - 3, out=b.places)

    def _carve(self, m: int) -> _Buffers:
        """Views of the memory for chunks of m images: contiguous, whatever m."""
        framed = self._framed[: m * IMAGE_SIZE * (IMAGE_SIZE + 2)]
        step = self._step[: framed.size]
        framed_rows, step_rows = (a.reshape(m, IMAGE_SIZE, IMAGE_SIZE + 2) for a in (framed, step))
        corner = (_SIDE - IMAGE_SIZE) // 2
        table = self._table[: m * _SIDE * _SIDE].reshape(m, _SIDE, _SIDE)
        affine = self._affine[: 6 * m]
        planes = self._planes[: 7 * m * GRID].reshape(7, m, GRID)
        self._buffers[m] = buffers = _Buffers(
            framed=framed_rows,
            pixels=framed_rows[:, :, 1:-1],
            here=framed[:-1],
            right=framed[1:],
            step=step[:-1],
            step_rows=step_rows[:, :, :-1],
            here_rows=framed_rows[:, :, :-1],
            window=table[:, corner : corner + IMAGE_SIZE, corner - 1 : corner + IMAGE_SIZE],
            affine=affine.reshape(2, m, 3),
            affine_rows=affine.reshape(2 * m, 3),
            places=planes[0:2],
            places_rows=planes[0:2].reshape(2 * m, GRID),
            floors=planes[2:4],
            shifts=planes[4:6],
            first=(np.arange(m, dtype=np.float32) * (_SIDE * _SIDE))[:, None],
            entry=planes[4:6].reshape(-1).view(np.int64).reshape(m, GRID),
            entry32=planes[6].view(np.int32),
            upper=planes[6],
            lower=planes[3],
        )
        return buffers
