"""The first layers' weight matrices of the CPU plan, made from the parameters before every step.

What the plan multiplies with is linear in the parameters, and there are few of them (156 in C1, 12 in S2,
1516 in C3, 32 in S4). So each layer's numbers come from one product with a constant matrix M, and the
gradients of those numbers become the parameters' gradients by the transpose of M.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from lenet_gpu.engine.cpu import index_maps as cpu_places
from lenet_gpu.engine.cpu.heads import Call
from lenet_gpu.engine.cpu.layout import C1_LINE, C1_MAPS, C1_TERMS, C3_MAPS, C3_ROWS, C3_TERMS, K
from lenet_gpu.engine.cpu.squash import Squash


class Terms:
    """Weight matrices of C1 and C3 and the factors of S2 and S4.

    Args:
        parameters: Flat parameter buffer.
        shapes: Shape of each parameter by name, in the order of the buffer.
        background: Input value of an empty pixel.
        pixel_scale: Input value of one step of a pixel.
        squash: How squashing is computed, which says what factors the weights get (k, q and p below).

    Attributes:
        c1: (4, 24, 41), times k and for raw pixels; see `cpu_places.c1_places`.
        c3: (64, 218), times k; see `cpu_places.c3_places`.
        subsampling: For "s2" and "s4" three columns, one number for each row of their arrays: what a sum of
            four t is multiplied by, what is added then, and what delta is multiplied by on its way down.
        expand: The calls that fill these from the parameters.
        c1_places, c3_places: Where the gradients of the terms are in the gradients of the matrices.
        c1_gradient: (26, 25), turns the gradients of C1's terms into those of its kernels.
        subsampling_gradient: For "s2" and "s4", (2 rows, 2 maps): turns the sums of delta t and of delta
            over each row into the gradients of coefficients and biases.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        shapes: Mapping[str, Sequence[int]],
        background: float,
        pixel_scale: float,
        squash: Squash,
    ) -> None:
        dtype = parameters.dtype
        k, q, p = squash.weight, squash.factor, squash.offset
        self._bounds = self._find_parts(shapes)
        part = self.parts(parameters)

        terms1, terms3 = np.zeros(C1_TERMS + 1, dtype), np.zeros(C3_TERMS + 1, dtype)  # the last stays 0
        self.c1, self.c3 = np.zeros((4, 4 * C1_MAPS, C1_LINE), dtype), np.zeros((4 * C3_MAPS, C3_ROWS), dtype)
        # A kernel of C1 to that for raw pixels and to what the background adds to the bias, times k.
        for_pixels = np.column_stack([pixel_scale * np.eye(K * K), np.full(K * K, background)])  # (25, 26)
        self.c1_gradient = for_pixels.T.astype(dtype)
        for_pixels = (k * for_pixels).astype(dtype)
        c1, c1_biases = terms1[:-1].reshape(C1_MAPS, -1), np.zeros(C1_MAPS, dtype)  # (6, 26), (6,)
        c1_terms, self.c1_places = cpu_places.c1_places()
        c3_terms, self.c3_places = cpu_places.c3_places()
        self.expand: list[Call] = [
            (part["c1"][:-C1_MAPS].reshape(C1_MAPS, -1).dot, (for_pixels, c1)),
            (np.multiply, (part["c1"][-C1_MAPS:], np.array(k, dtype), c1_biases)),
            (np.add, (c1[:, -1], c1_biases, c1[:, -1])),
            (terms1.take, (c1_terms, None, self.c1, "clip")),
            (np.multiply, (part["c3"], np.array(k, dtype), terms3[:-1])),
            (terms3.take, (c3_terms, None, self.c3, "clip")),
        ]
        self.subsampling: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self.subsampling_gradient: dict[str, np.ndarray] = {}
        for name, maps, repeats in (("s2", C1_MAPS, 4), ("s4", C3_MAPS, 1)):
            each = np.tile(np.eye(maps), (repeats, 1))  # (rows, maps): the map of each row
            none = np.zeros_like(each)
            columns = np.block(
                [
                    [k * q * each, none],
                    [k * 4.0 * p * each, k * each],
                    [squash.slope * each, none],
                ]
            ).astype(dtype)  # (3 rows, 2 maps)
            values = np.zeros(len(columns), dtype)
            self.expand.append((columns.dot, (part[name], values)))
            factor, offset, back = values.reshape(3, -1, 1)
            self.subsampling[name] = factor, offset, back
            gradient = np.block([[q * each, none], [4.0 * p * each, each]])
            self.subsampling_gradient[name] = gradient.astype(dtype)

    @staticmethod
    def _find_parts(shapes: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, int]]:
        """(start, stop) of each layer's parameters in the flat buffer, "c1" to "s4"."""
        bounds: dict[str, tuple[int, int]] = {}
        start = 0
        for name, shape in shapes.items():
            layer, stop = name.split(".")[0], start + prod(shape)
            bounds[layer] = (bounds.get(layer, (start, start))[0], stop)
            start = stop
        return bounds

    def parts(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """One flat view for each layer of a buffer laid out like the parameters."""
        return {layer: flat[start:stop] for layer, (start, stop) in self._bounds.items()}
