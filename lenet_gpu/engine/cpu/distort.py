"""Distorting training images fast in NumPy: what `distort_reference` defines, straight into the plan's input."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lenet_gpu.augment.distort import FIELDS, GRID_CENTER, elastic_fields
from lenet_gpu.engine.cpu.plan import Fill
from lenet_gpu.engine.cpu.spec import GRID
from lenet_gpu.paper import IMAGE_SIZE, INPUT_SIZE

CHUNK = 32
"""Images that `Distorter` works on at a time: fewer pay more for each call of NumPy, more leave the cache."""

_SIDE = 72
"""Side of the table a chunk is read from: the image in the middle of so much background that no position has to be
checked, whatever a sensible distortion does."""

_PACKED = 1024.0
"""See `Distorter`: the step to the right-hand neighbour is stored as 1/1024 of itself."""

_TABLE_CENTER = (_SIDE - 1) / 2


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
    positions: np.ndarray  # (2, m, 1024): x and y; later how far they are from the pixel left and above
    position_rows: np.ndarray  # (2 m, 1024): the same
    floors: np.ndarray  # (2, m, 1024): column and row of the pixel left and above
    shifts: np.ndarray  # (2, m, 1024): elastic displacements
    first: np.ndarray  # (m, 1): where the chunk's images begin in the table
    entry: np.ndarray  # (m, 1024) int64: index into the table, as NumPy wants it; in the memory of shifts
    entry32: np.ndarray  # (m, 1024) int32: on the way there; in the memory of upper
    upper: np.ndarray  # (m, 1024)
    lower: np.ndarray  # (m, 1024): in the memory of the second half of floors


class Distorter:
    """Distorts batch after batch in NumPy, without allocating memory for it.

    How it is fast: coordinates of a whole chunk are one matrix product; each image lies in a table with so much
    background around it that positions need not be clamped; and an entry of the table holds two numbers in one
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
        self._basis = np.stack([u - GRID_CENTER, v - GRID_CENTER, np.ones(GRID)]).astype(np.float32)
        # How far |parameters| can move a position from the centre, along x and along y.
        edge, farthest = GRID_CENTER, float(max(self._fields.max(), -self._fields.min()))
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
        self._find_positions(parameters, b)
        x, y = b.positions
        column, row = b.floors
        np.floor(b.positions, out=b.floors)
        np.subtract(b.positions, b.floors, out=b.positions)
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

    def _find_positions(self, parameters: np.ndarray, b: _Buffers) -> None:
        """Compute `b.positions`: where in an image's table each pixel of the grid is read."""
        b.affine[0], b.affine[1] = parameters[:, 0:3], parameters[:, 3:6]
        b.affine[:, :, 2] += np.float32(_TABLE_CENTER)
        np.matmul(b.affine_rows, self._basis, out=b.position_rows)
        numbers = parameters[:, 6].astype(np.intp)
        np.take(self._fields[0], numbers, axis=0, out=b.shifts[0], mode="clip")
        np.take(self._fields[1], numbers, axis=0, out=b.shifts[1], mode="clip")
        np.multiply(b.shifts, parameters[:, 7:], out=b.shifts)
        np.add(b.positions, b.shifts, out=b.positions)
        # A pixel of safety on either side: for rounding, and for the row below.
        if not (np.abs(parameters) @ self._reach).max() < _TABLE_CENTER - 1.5:
            np.clip(b.positions, 1, _SIDE - 3, out=b.positions)

    def _carve(self, m: int) -> _Buffers:
        """Make views of the memory for chunks of m images: contiguous, whatever m."""
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
            positions=planes[0:2],
            position_rows=planes[0:2].reshape(2 * m, GRID),
            floors=planes[2:4],
            shifts=planes[4:6],
            first=(np.arange(m, dtype=np.float32) * (_SIDE * _SIDE))[:, None],
            entry=planes[4:6].reshape(-1).view(np.int64).reshape(m, GRID),
            entry32=planes[6].view(np.int32),
            upper=planes[6],
            lower=planes[3],
        )
        return buffers


class BatchDistorter:
    """Distorts the images of a batch chunk by chunk.

    Args:
        images: (n, 784) uint8, the whole training set.
        capacity: Largest number of images of a chunk.
    """

    def __init__(self, images: np.ndarray, capacity: int) -> None:
        self._images = images
        self._rows = np.empty((capacity, images.shape[1]), np.uint8)
        self._distorter = Distorter(capacity)

    def source(self, indices: np.ndarray, distortions: np.ndarray) -> Fill:
        """Make the function that `CpuPlan.gradients` takes instead of images.

        Args:
            indices: (m,) intp, the batch.
            distortions: (m, 8) float32, how each of its images is distorted.
        """

        def fill(chunk: slice, grids: np.ndarray) -> None:
            rows = self._rows[: chunk.stop - chunk.start]
            self._images.take(indices[chunk], 0, rows, "clip")
            self._distorter(rows, distortions[chunk], grids.reshape(len(grids), -1))

        return fill
