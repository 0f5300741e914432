"""LeNet-5 in whole numbers: 8-bit weights with a scale for each unit, 16-bit units, and tanh from a table.

The arithmetic is that of `c/int8.c`, number for number: `QuantizedNetwork.scores` is its oracle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenet_gpu.export.plain import C3_PAIRS, PlainNetwork

UNIT = 4096
"""Units are stored as whole numbers of 1/4096; so are the arguments of tanh."""

TABLE = np.rint(32768.0 * np.tanh(np.arange(257) / 32.0)).clip(0, 32767).astype(np.int16)
"""tanh in 1/32768 at 0, 1/32, ... 8."""

MOST_SHIFT = 50
MOST_SUM = 1 << 28
LAYERS = ("c1", "c3", "c5", "f6", "output")
"""Layers with 8-bit weights; S2 and S4 have one coefficient a map, which keeps 32 bits."""

CALIBRATION = 500
"""Images that calibration looks at."""


@dataclass
class QuantizedNetwork:
    """A LeNet-5 in whole numbers.

    Attributes:
        arrays: {c1, c3, c5, f6, output}.weight int8 and .bias int32, in units of the sum; {c1, c3, c5, f6}.multiplier
            and {s2, s4}.coefficient int32; {s2, s4}.bias int32 in 1/4096; output.scale float32.
        shifts: Binary places of the multipliers, by layer.
    """

    arrays: dict[str, np.ndarray]
    shifts: dict[str, int]

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Compute what the C file hands to softmax, (n, 28, 28) uint8 -> (n, classes) float32."""
        return self.sums(images)["output"].astype(np.float32) * self.arrays["output.scale"]

    def sums(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the sums of weights times inputs of all layers with weights.

        Args:
            images: (n, 28, 28) uint8.

        Returns:
            int64 arrays: c1 (n, 6, 28, 28), c3 (n, 16, 10, 10), c5 (n, 120), f6 (n, 84), output (n, classes).
        """
        a = self.arrays
        field = np.pad(images.astype(np.int64), ((0, 0), (2, 2), (2, 2)))[:, None]  # (n, 1, 32, 32)
        c1 = _convolve(field, a["c1.weight"]) + a["c1.bias"][:, None, None]
        s2 = self._subsample(c1, "c1", "s2")  # (n, 6, 14, 14)
        kernels = np.zeros((16, 6, 5, 5), np.int64)
        kernels[C3_PAIRS[:, 0], C3_PAIRS[:, 1]] = a["c3.weight"]
        c3 = _convolve(s2, kernels) + a["c3.bias"][:, None, None]
        s4 = self._subsample(c3, "c3", "s4")  # (n, 16, 5, 5)
        c5 = _product(s4.reshape(len(s4), -1), a["c5.weight"].reshape(120, -1)) + a["c5.bias"]
        f6 = _product(self._units(c5, "c5"), a["f6.weight"]) + a["f6.bias"]
        output = _product(self._units(f6, "f6"), a["output.weight"]) + a["output.bias"]
        return {"c1": c1, "c3": c3, "c5": c5, "f6": f6, "output": output}

    def _units(self, sums: np.ndarray, name: str) -> np.ndarray:
        """Squash the sums of a dense layer."""
        return (_squash(_scaled(sums, self.arrays[f"{name}.multiplier"], self.shifts[name])) + 4) >> 3

    def _subsample(self, sums: np.ndarray, above: str, name: str) -> np.ndarray:
        """Squash the sums of a convolution, and subsample them: (n, maps, 2 h, 2 w) -> (n, maps, h, w)."""
        multiplier, coefficient, bias = (
            self.arrays[key][:, None, None] for key in (f"{above}.multiplier", f"{name}.coefficient", f"{name}.bias")
        )
        y = _squash(_scaled(sums, multiplier, self.shifts[above]))
        four = y[..., ::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, ::2] + y[..., 1::2, 1::2]
        return (_squash(_scaled(four, coefficient, self.shifts[name]) + bias) + 4) >> 3


def quantize(plain: PlainNetwork, images: np.ndarray | None = None) -> QuantizedNetwork:
    """Bring a network into whole numbers.

    Args:
        plain: The network.
        images: Training images to calibrate with, (n, 28, 28) uint8: each unit's bias takes up the mean error that
            the rounded weights make on them. None: not calibrated.

    Returns:
        The quantised network.
    """
    folded = plain.folded()
    arrays: dict[str, np.ndarray] = {}
    shifts: dict[str, int] = {}
    scales: dict[str, np.ndarray] = {}
    for name in LAYERS:
        weight, bias = folded[f"{name}.weight"], folded[f"{name}.bias"]
        unit = 1.0 if name == "c1" else 1.0 / UNIT
        owner = C3_PAIRS[:, 0] if name == "c3" else np.arange(len(bias))
        most = np.zeros(len(bias))
        np.maximum.at(most, owner, np.abs(weight).reshape(len(weight), -1).max(axis=1))
        # A unit whose weights are next to nothing beside its bias gets a scale that the bias can be said in.
        steps = np.maximum(np.maximum(most / 127.0, np.abs(bias) / unit / (1 << 26)), 1e-30)
        shaped = steps[owner].reshape(-1, *[1] * (weight.ndim - 1))
        arrays[f"{name}.weight"] = np.rint(weight / shaped).astype(np.int8)
        scales[name] = steps * unit
        arrays[f"{name}.bias"] = np.rint(bias / scales[name]).astype(np.int32)
        if name == "output":
            arrays["output.scale"] = scales[name].astype(np.float32)
        else:
            arrays[f"{name}.multiplier"], shifts[name] = _multipliers(scales[name] * UNIT)
    for name in ("s2", "s4"):
        arrays[f"{name}.coefficient"], shifts[name] = _multipliers(folded[f"{name}.coefficient"] * UNIT / 32768.0)
        arrays[f"{name}.bias"] = np.rint(folded[f"{name}.bias"] * UNIT).clip(-MOST_SUM, MOST_SUM).astype(np.int32)
    network = QuantizedNetwork(arrays, shifts)
    if images is not None:
        wanted = _float_sums(plain, folded, images[:CALIBRATION])
        for name in LAYERS:  # in order: a layer's error is measured behind the layers that are mended already
            found = network.sums(images[:CALIBRATION])[name]
            axes = (0, *range(2, found.ndim))
            error = wanted[name].mean(axis=axes) - found.mean(axis=axes) * scales[name]
            bias = arrays[f"{name}.bias"] + np.rint(error / scales[name])
            arrays[f"{name}.bias"] = bias.clip(-MOST_SUM, MOST_SUM).astype(np.int32)
    return network


def _float_sums(plain: PlainNetwork, folded: dict[str, np.ndarray], images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the arguments of tanh, and the scores, in float64; shapes as in `QuantizedNetwork.sums`."""
    field = np.pad(images.astype(np.float64), ((0, 0), (2, 2), (2, 2)))[:, None]  # (n, 1, 32, 32)

    def subsample(x: np.ndarray, name: str) -> np.ndarray:
        y = np.tanh(x)
        four = y[..., ::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, ::2] + y[..., 1::2, 1::2]
        return np.tanh(four * folded[f"{name}.coefficient"][:, None, None] + folded[f"{name}.bias"][:, None, None])

    c1 = _convolve(field, folded["c1.weight"]) + folded["c1.bias"][:, None, None]
    c3 = _convolve(subsample(c1, "s2"), plain.dense_c3(folded["c3.weight"])) + folded["c3.bias"][:, None, None]
    s4 = subsample(c3, "s4").reshape(len(images), -1)  # (n, 400)
    c5 = s4 @ folded["c5.weight"].reshape(120, -1).T + folded["c5.bias"]
    f6 = np.tanh(c5) @ folded["f6.weight"].T + folded["f6.bias"]
    output = np.tanh(f6) @ folded["output.weight"].T + folded["output.bias"]
    return {"c1": c1, "c3": c3, "c5": c5, "f6": f6, "output": output}


def _convolve(x: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Convolve (n, in, h, w) with (out, in, 5, 5) -> (n, out, h - 4, w - 4)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(2, 3))  # (n, in, h - 4, w - 4, 5, 5)
    n, inputs, height, width = windows.shape[:4]
    columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, inputs * 25)  # (n (h - 4) (w - 4), in 25)
    out = _product(columns, kernels.reshape(len(kernels), -1))
    return out.reshape(n, height, width, -1).transpose(0, 3, 1, 2)  # (n, out, h - 4, w - 4)


def _product(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Multiply (n, inputs) by (units, inputs) transposed, in float64: whole numbers below 2^53 stay exact there."""
    product = x.astype(np.float64) @ weight.T.astype(np.float64)
    return product if x.dtype.kind == "f" else product.astype(np.int64)


def _multipliers(factors: np.ndarray) -> tuple[np.ndarray, int]:
    """Write factors as 32-bit whole numbers over one power of 2; returns them and the power."""
    most = float(np.abs(factors).max())
    shift = MOST_SHIFT if most == 0.0 else int(np.clip(30 - np.ceil(np.log2(most)), 1, MOST_SHIFT))
    return np.rint(factors * 2.0**shift).clip(-(2**31) + 1, 2**31 - 1).astype(np.int32), shift


def _scaled(sums: np.ndarray, multiplier: np.ndarray, shift: int) -> np.ndarray:
    """Do as `scaled` in c/int8.c."""
    return ((sums * multiplier.astype(np.int64) + (1 << (shift - 1))) >> shift).clip(-MOST_SUM, MOST_SUM)


def _squash(x: np.ndarray) -> np.ndarray:
    """Do as `squash` in c/int8.c."""
    size = np.abs(x)
    at = np.minimum(size >> 7, 255)
    table = TABLE.astype(np.int64)
    y = np.where(size >> 7 < 256, table[at] + (((table[at + 1] - table[at]) * (size & 127)) >> 7), table[256])
    return np.where(x < 0, -y, y)
