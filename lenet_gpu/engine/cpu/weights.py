"""The first layers' weight matrices of the CPU plan, built from the parameters before every step.

What the plan multiplies with is linear in the parameters, and there are few of them (156 in C1, 12 in S2,
1516 in C3, 32 in S4). So each layer's numbers come from one product with a constant matrix M, and the
gradients of those numbers become the parameters' gradients by the transpose of M.

C1's and C3's numbers stand in their Toeplitz matrices once for every output of a tile (drawn in layout.py). Which
number stands where is said by index maps: a matrix is filled with one `take`, from the numbers and a zero behind
them; its gradient is collected with one `take` and a sum over a tile's outputs.
"""

from __future__ import annotations

from math import prod

import numpy as np

from lenet_gpu.engine.cpu.layout import (
    C1_LINE,
    C1_MAPS,
    C1_ONES,
    C1_PAIR,
    C1_PARAMETERS,
    C1_WINDOW,
    C3_HALF,
    C3_KERNELS,
    C3_LINE,
    C3_MAPS,
    C3_PARAMETERS,
    C3_ROWS,
    C3_WINDOW,
    K,
)
from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import NetworkSpec, PlanSpec
from lenet_gpu.paper import C3_TABLE


def c1_index_maps() -> tuple[np.ndarray, np.ndarray]:
    """Map C1's parameters to its matrices, one for each of the tile's 4 lines.

    A matrix has rows (x % 2, x // 2, map) and as columns the rows of `c1_in` that the line sees. For the tile's
    output at column x, the row of a map holds the map's kernel in the columns of the 5x5 pixels from x on, line
    after line of the window, and its bias in the column of the ones::

        window line      first   ...              fifth
        x = 0        k k k k k 0 0 0   ...    k k k k k 0 0 0         (the ones stand between two lines,
        x = 1        0 k k k k k 0 0   ...    0 k k k k k 0 0          elsewhere for each line of the tile)

    Returns:
        Which parameter stands at each position of the matrices, (4, 24, 41), `C1_PARAMETERS` where there is none;
        and at which positions, counted through the flattened matrices, the parameters of each of the tile's 16
        outputs stand, (16, 156).
    """
    parameters = np.full((4, 4 * C1_MAPS, C1_LINE), C1_PARAMETERS, np.intp)
    positions = np.zeros((16, C1_PARAMETERS), np.intp)
    numbers = np.arange(C1_PARAMETERS).reshape(C1_MAPS, -1)
    u, v = np.indices((K, K))
    for output in range(16):
        line, x = output // 4, output % 4
        rows = (x % 2 * 2 + x // 2) * C1_MAPS + np.arange(C1_MAPS)
        ones = C1_ONES - line * C1_WINDOW
        kernel = (u * C1_WINDOW + x + v).ravel()
        columns = np.append(kernel + (kernel >= ones), ones)  # of a kernel and its bias
        parameters[line, rows[:, None], columns] = numbers
        positions[output, numbers] = (line * 4 * C1_MAPS + rows[:, None]) * C1_LINE + columns
    return parameters, positions


def c1_pair_map(parameters: np.ndarray) -> np.ndarray:
    """Take from C1's first index map what the tile's first two outputs of each line see, 5 lines of 6 pixels.

    Args:
        parameters: (4, 24, 41), see `c1_index_maps`.

    Returns:
        (4, 12, 31): rows (x, map), columns as there, with the column of the ones behind the same lines.
    """
    found = []
    for line, matrix in enumerate(parameters):
        ones = C1_ONES - line * C1_WINDOW
        pixels = np.delete(matrix, ones, axis=1).reshape(2, 2, C1_MAPS, K, C1_WINDOW)[:, 0, ..., :C1_PAIR]
        pairs = pixels.reshape(2 * C1_MAPS, -1)
        found.append(
            np.insert(pairs, (4 - line) * C1_PAIR, matrix.reshape(2, 2, C1_MAPS, -1)[:, 0, :, ones].ravel(), 1)
        )
    return np.stack(found)


def c3_index_maps() -> tuple[np.ndarray, np.ndarray]:
    """Map C3's parameters to its matrix: rows (line, x, map) of the tile, columns bias, (y, x, S2 map), bias.

    The upper line has its bias in the first column, the lower one in the last: each is one piece with the window's
    lines that it sees.

    Returns:
        Which parameter stands at each position of the matrix, (64, 218), `C3_PARAMETERS` where there is none; and at
        which positions, counted through the flattened transposed gradients of the two halves, (2, 181, 32), the
        parameters of each of the tile's 4 outputs stand, (4, 1516).
    """
    parameters = np.full((4 * C3_MAPS, C3_ROWS), C3_PARAMETERS, np.intp)
    positions = np.zeros((4, C3_PARAMETERS), np.intp)
    pairs = [(o, i) for o, row in enumerate(C3_TABLE) for i in row]
    biases = C3_KERNELS * K * K + np.arange(C3_MAPS)
    u, v = np.indices((K, K))
    for output in range(4):
        line, x = output // 2, output % 2
        half, first = line * C3_HALF * 2 * C3_MAPS, line * (1 + C3_LINE)  # in the gradients; its first column
        for pair, (o, i) in enumerate(pairs):
            kernel = np.arange(pair * K * K, (pair + 1) * K * K)
            columns = (1 + ((line + u) * C3_WINDOW + x + v) * C1_MAPS + i).ravel()
            parameters[output * C3_MAPS + o, columns] = kernel
            positions[output, kernel] = half + (columns - first) * 2 * C3_MAPS + x * C3_MAPS + o
        bias_column = line * (C3_ROWS - 1)
        parameters[output * C3_MAPS + np.arange(C3_MAPS), bias_column] = biases
        positions[output, biases] = half + (bias_column - first) * 2 * C3_MAPS + x * C3_MAPS + np.arange(C3_MAPS)
    return parameters, positions


def layer_bounds(network: NetworkSpec) -> dict[str, tuple[int, int]]:
    """Find (start, stop) of each layer's parameters in the flat buffer, "c1" to "output"."""
    bounds: dict[str, tuple[int, int]] = {}
    start = 0
    for name, shape in network.shapes.items():
        layer, stop = name.split(".")[0], start + prod(shape)
        bounds[layer] = (bounds.get(layer, (start, start))[0], stop)
        start = stop
    return bounds


class Weights:
    """Weight matrices of C1 and C3 and the factors of S2 and S4.

    Args:
        parameters: Flat parameter buffer.
        spec: What the plan is made for. Its ways of squashing say what factors the weights get (k, q and p below),
            its network what pixels mean.

    Attributes:
        c1: (4, 24, 41), times k and for raw pixels; see `c1_index_maps`.
        c1_pairs: (4, 12, 31), for reading: of these what two outputs side by side see, rows (x, map).
        c3: (64, 218), times k; see `c3_index_maps`.
        c3_line: (32, 185), for reading: what an output line sees, each of five lines with a column for the row of
            ones behind it (gather_lines.py), of which the first has the biases.
        subsampling: For "s2" and "s4" three columns, one number for each row of their arrays: what a sum of
            four t is multiplied by, what is added then, and what delta is multiplied by on its way down.
        four: For "s2" and "s4", for reading: the first of these columns for each map, four times, (maps, 4).
        c1_positions, c3_positions: Where the gradients of the parameters stand in the gradients of the matrices.
        c1_gradient: (26, 25), turns the gradients of C1's numbers into those of its kernels.
        subsampling_gradient: For "s2" and "s4", (2 rows, 2 maps): turns the sums of delta t and of delta
            over each row into the gradients of coefficients and biases.
        arrays: All arrays that the calls use, by name.
    """

    def __init__(self, parameters: np.ndarray, spec: PlanSpec) -> None:
        dtype = spec.dtype
        self._factor1, self._factor3 = spec.squash("c1").weight, spec.squash("c3").weight
        self._bounds = layer_bounds(spec.network)
        self._layers = self.layers_of(parameters)
        # The last one stays 0: it stands wherever a matrix holds no parameter.
        self._numbers1, self._numbers3 = np.zeros(C1_PARAMETERS + 1, dtype), np.zeros(C3_PARAMETERS + 1, dtype)
        self.c1, self.c3 = np.zeros((4, 4 * C1_MAPS, C1_LINE), dtype), np.zeros((4 * C3_MAPS, C3_ROWS), dtype)
        # A kernel of C1 to that for raw pixels and to what the background adds to the bias, times k.
        for_pixels = np.column_stack([spec.pixel_scale * np.eye(K * K), np.full(K * K, spec.network.background)])
        self.c1_gradient = for_pixels.T.astype(dtype)  # (26, 25)
        self._for_pixels = (self._factor1 * for_pixels).astype(dtype)  # (25, 26)
        self.c3_line = np.zeros((2 * C3_MAPS, K * (C3_LINE + 1)), dtype)
        self._reads = not spec.training
        self._c1_biases = np.zeros(C1_MAPS, dtype)
        self._c1_parameters, self.c1_positions = c1_index_maps()
        self._pair_parameters = c1_pair_map(self._c1_parameters)
        self.c1_pairs = np.zeros(self._pair_parameters.shape, dtype)
        self._c3_parameters, self.c3_positions = c3_index_maps()
        self.arrays: dict[str, np.ndarray] = {
            "c1_numbers": self._numbers1, "c1_matrices": self.c1, "c1_scaled_bias": self._c1_biases,
            "c1_scaling": self._for_pixels, "c1_scaling_back": self.c1_gradient,
            "c1_index_map": self._c1_parameters, "c1_positions": self.c1_positions,
            "c1_pairs": self.c1_pairs, "c1_pairs_index_map": self._pair_parameters,
            "c3_numbers": self._numbers3, "c3_matrix": self.c3, "c3_line": self.c3_line,
            "c3_index_map": self._c3_parameters, "c3_positions": self.c3_positions,
        }  # fmt: skip
        self.four = {"s2": np.zeros((C1_MAPS, 4), dtype), "s4": np.zeros((C3_MAPS, 4), dtype)}
        self.subsampling: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self.subsampling_gradient: dict[str, np.ndarray] = {}
        # S2's rows are (y%2, x%2, map) to train; to read (y%2, map), each of two halves.
        times, halves = (4, 1) if spec.training else (2, 2)
        of_s2 = np.tile(np.repeat(np.eye(C1_MAPS), halves, axis=0), (times, 1))
        for name, layer_below, each in (("s2", "c1", of_s2), ("s4", "c3", np.eye(C3_MAPS))):  # the map of each row
            below, k = spec.squash(layer_below), spec.squash(name).weight
            q, p = below.factor, below.offset
            none = np.zeros_like(each)
            spread = np.block(
                [
                    [k * q * each, none],
                    [k * 4.0 * p * each, k * each],
                    [below.slope * each, none],
                ]
            ).astype(dtype)  # (3 rows, 2 maps)
            values = np.zeros(len(spread), dtype)
            factor, offset, back = values.reshape(3, -1, 1)
            self.subsampling[name] = factor, offset, back
            gradient = np.block([[q * each, none], [4.0 * p * each, each]])
            self.subsampling_gradient[name] = gradient.astype(dtype)
            self.arrays |= {
                f"{name}_spread": spread, f"{name}_factors": values, f"{name}_four": self.four[name],
                f"{name}_spread_back": self.subsampling_gradient[name],
            }  # fmt: skip

    def build(self, do: Recorder) -> None:
        """Record how everything is made from the parameters."""
        layer, numbers1, numbers3 = self._layers, self._numbers1, self._numbers3
        c1 = numbers1[:-1].reshape(C1_MAPS, -1)  # (6, 26): a kernel and its bias
        do.layer("C1")
        do.dot(layer["c1"][:-C1_MAPS].reshape(C1_MAPS, -1), self._for_pixels, out=c1)
        do.multiply(layer["c1"][-C1_MAPS:], self._factor1, out=self._c1_biases)
        do.add(c1[:, -1], self._c1_biases, out=c1[:, -1])
        do.take(numbers1, self._c1_parameters, out=self.c1)
        do.layer("C3")
        do.multiply(layer["c3"], self._factor3, out=numbers3[:-1])
        do.take(numbers3, self._c3_parameters, out=self.c3)
        if self._reads:
            do.take(numbers1, self._pair_parameters, out=self.c1_pairs)
            lines, upper = self.c3_line.reshape(2 * C3_MAPS, K, C3_LINE + 1), self.c3[: 2 * C3_MAPS]
            do.copyto(lines[..., :-1], upper[:, 1:C3_HALF].reshape(2 * C3_MAPS, K, C3_LINE))
            do.copyto(lines[:, 0, -1], upper[:, 0])
        for name, halves in (("s2", 2), ("s4", 1)):
            four = self.four[name]
            do.layer(name.upper())
            do.dot(self.arrays[f"{name}_spread"], layer[name], out=self.arrays[f"{name}_factors"])
            if self._reads:
                do.copyto(four, self.subsampling[name][0][: halves * len(four) : halves])

    def layers_of(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Give one flat view for each layer of a buffer laid out like the parameters."""
        return {layer: flat[start:stop] for layer, (start, stop) in self._bounds.items()}
