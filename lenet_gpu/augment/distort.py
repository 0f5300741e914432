"""Distorting training images: one bilinear resampling of a 28x28 image onto the 32x32 grid of the input layer.

An image's distortion is a row of eight float32 parameters (see `lenet_gpu.augment.augmentation`, which draws them):

    columns 0-2    x = p0 * u + p1 * v + p2 + p7 * field[p6, 0, row, column]
    columns 3-5    y = p3 * u + p4 * v + p5 + p7 * field[p6, 1, row, column]
    column 6       number of the elastic field, 0 ... FIELDS - 1
    column 7       its amplitude in pixels (root mean square of the displacement; 0: none)

(u, v) is the position of an output pixel and (x, y) the position where the image is read, both in pixels right and
down from the centre of the grid and of the image. The identity is (1, 0, 0, 0, 1, 0, any, 0). Positions beyond the
image read background. `distort_reference` says this in plain array code; the CPU engine computes it fast in NumPy
(engine/cpu/distort.py), and the CUDA engine has it in its training kernel.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.paper import IMAGE_SIZE, INPUT_SIZE

Array = Any

PARAMETERS = 8
"""Numbers that describe the distortion of one image."""

AMPLITUDE = 7
"""The column of the amplitude of an elastic field."""

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
"""The parameters of an image that stays as it is."""

FIELDS = 1024
"""Elastic fields in the table."""

FIELD_SIGMA = 4.0
"""Smoothness of the elastic fields in pixels (Simard, Steinkraus, Platt 2003 recommend 4 for digits)."""

IMAGE_CENTER = (IMAGE_SIZE - 1) / 2
GRID_CENTER = (INPUT_SIZE - 1) / 2

_FIELDS_AT_ONCE = 32
"""Fields whose noise is made and smoothed together: all the noise would take 50 MB."""

_MAKING = threading.Lock()
"""Held while the table is made: whoever asks meanwhile waits for it."""


def elastic_fields() -> np.ndarray:
    """Make the table of elastic displacement fields, the same in every run.

    Uniform noise, smoothed by a Gaussian of `FIELD_SIGMA` pixels (Simard, Steinkraus, Platt 2003, "Best practices
    for convolutional neural networks applied to visual document analysis"), scaled so that a displacement's root
    mean square is 1 pixel. The noise reaches beyond the grid on all sides: fields have no seam at the edge.

    Returns:
        (1024, 2, 32, 32) float32, read-only: displacements to the right and down in pixels, for amplitude 1. In
        memory all displacements to the right come first.
    """
    with _MAKING:
        return _elastic_fields()


@cache
def _elastic_fields() -> np.ndarray:
    reach = int(3 * FIELD_SIGMA)
    size = INPUT_SIZE + 2 * reach
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / FIELD_SIGMA) ** 2)
    # The noise's variance is 1/12, and a filter multiplies it by the sum of its squared taps, once an axis.
    taps *= np.sqrt(np.sqrt(12.0) / (taps**2).sum())
    smooth = np.zeros((INPUT_SIZE, size), dtype=np.float32)
    for row in range(INPUT_SIZE):
        smooth[row, row : row + len(taps)] = taps
    # Components apart, as the CPU engine reads them.
    components = np.empty((2, FIELDS, INPUT_SIZE, INPUT_SIZE), dtype=np.float32)
    fields = components.transpose(1, 0, 2, 3)

    def make(k: int) -> None:
        part = fields[k * _FIELDS_AT_ONCE : (k + 1) * _FIELDS_AT_ONCE]
        bits = np.random.Philox(key=1998)
        # Two float32 are made of a number of the generator, and it can skip whole blocks.
        bits.advance(k * _FIELDS_AT_ONCE * size**2 // seeds.BLOCK)
        noise = np.random.Generator(bits).random((*part.shape[:2], size, size), dtype=np.float32)
        noise -= np.float32(0.5)
        part[...] = smooth @ noise @ smooth.T

    seeds.side_by_side(make, FIELDS // _FIELDS_AT_ONCE)
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
    # One row and column of background all around: every position beyond the image is as good as one on this frame.
    frame = xp.zeros((n, IMAGE_SIZE + 2, IMAGE_SIZE + 2), dtype="float32")
    frame[:, 1:-1, 1:-1] = images.reshape(n, IMAGE_SIZE, IMAGE_SIZE)
    u = xp.arange(INPUT_SIZE, dtype="float32") - GRID_CENTER  # (32,)
    v = u[:, None]  # (32, 1)
    p = [parameters[:, k, None, None] for k in range(PARAMETERS)]  # each (n, 1, 1)
    shift = fields[parameters[:, 6].astype("int32")]  # (n, 2, 32, 32)
    x = p[0] * u + p[1] * v + p[2] + p[7] * shift[:, 0] + (IMAGE_CENTER + 1)  # (n, 32, 32)
    y = p[3] * u + p[4] * v + p[5] + p[7] * shift[:, 1] + (IMAGE_CENTER + 1)
    last = IMAGE_SIZE + 1
    x, y = xp.clip(x, 0, last), xp.clip(y, 0, last)
    left, top = xp.minimum(xp.floor(x), last - 1), xp.minimum(xp.floor(y), last - 1)
    fx, fy = x - left, y - top
    image, column, row = xp.arange(n)[:, None, None], left.astype("int32"), top.astype("int32")
    upper = frame[image, row, column] * (1 - fx) + frame[image, row, column + 1] * fx
    lower = frame[image, row + 1, column] * (1 - fx) + frame[image, row + 1, column + 1] * fx
    return upper * (1 - fy) + lower * fy
