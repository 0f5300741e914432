"""What the peers need of the network besides its definition: Table I as a dense kernel, and inference weights."""

from __future__ import annotations

import numpy as np

from lenet_gpu.paper import BACKGROUND, C3_TABLE, INK, SQUASH_A, SQUASH_S

SCALE = (INK - BACKGROUND) / 255.0
C3_OUT = np.array([o for o, row in enumerate(C3_TABLE) for _ in row])
C3_IN = np.array([i for row in C3_TABLE for i in row])

NAMES = (
    "c1.weight", "c1.bias", "s2.coefficient", "s2.bias", "c3.weight", "c3.bias", "s4.coefficient", "s4.bias",
    "c5.weight", "c5.bias", "f6.weight", "f6.bias", "output.weight", "output.bias",
)  # fmt: skip
"""The parameters in the order of the flat buffer."""


def start_parameters(model) -> np.ndarray:
    """The parameters that all contenders start from: the usual ones of seed 0 with some noise, (60850,).

    Biases usually start at 0 and coefficients at 1, under which a mistake in a peer could hide.
    """
    noise = np.random.Generator(np.random.Philox(1998)).uniform(-0.02, 0.02, model.parameters.size)
    return model.initial_parameters(0) + noise


def trained_parameters() -> np.ndarray:
    """The parameters that all contenders read with: those of the shipped model `mnist`, (60850,).

    Where sums lie decides how our engine squashes them, so a network that has learnt nothing would be read too fast.
    The model's own values of background and ink are folded into C1, so that the network is the one defined here.
    """
    from lenet_gpu import LeNet5

    shipped = LeNet5.load("mnist")
    factor = (shipped.ink - shipped.background) / (INK - BACKGROUND)
    weight = shipped.views["c1.weight"].copy()
    shipped.views["c1.weight"][...] = factor * weight
    shipped.views["c1.bias"][...] += (shipped.background - factor * BACKGROUND) * weight.sum(axis=(1, 2, 3))
    return shipped.host_parameters()


def dense_c3(pairs: np.ndarray) -> np.ndarray:
    """C3's kernels (60, 5, 5) -> (16, 6, 5, 5) with zeros where Table I has no connection."""
    dense = np.zeros((16, 6, 5, 5), np.float32)
    dense[C3_OUT, C3_IN] = pairs
    return dense


def c3_mask() -> np.ndarray:
    """Ones where Table I connects, (16, 6, 1, 1)."""
    return dense_c3(np.ones((60, 5, 5), np.float32))[:, :, :1, :1]


def flat(values: dict[str, np.ndarray]) -> np.ndarray:
    """The flat buffer from arrays in the shapes of LeNet5.views, C3 dense."""
    values = {**values, "c3.weight": values["c3.weight"][C3_OUT, C3_IN]}
    return np.concatenate([np.asarray(values[name], np.float32).ravel() for name in NAMES])


def padded(images: np.ndarray) -> np.ndarray:
    """(n, 28, 28) -> (n, 32, 32) uint8 with the margin of background; done once, outside the timed steps."""
    out = np.zeros((len(images), 32, 32), np.uint8)
    out[:, 2:-2, 2:-2] = images
    return out


def inference_weights(views: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights with every constant factor folded in, so that peers run as few operations as can be.

    The folded network takes pixels 0 ... 255, padded by zeros, and squashes with a plain tanh:
    A tanh(S a) becomes tanh(a') with S in the weights that make a' and A in those that use it. Subsampling is
    the mean of four times a coefficient, plus a bias.
    """
    a, s = SQUASH_A, SQUASH_S
    v = {name: np.asarray(view, np.float64) for name, view in views.items()}
    c3 = np.zeros((16, 6, 5, 5))
    c3[C3_OUT, C3_IN] = v["c3.weight"]
    folded = {
        "c1.weight": s * SCALE * v["c1.weight"],
        "c1.bias": s * (v["c1.bias"] + BACKGROUND * v["c1.weight"].sum(axis=(1, 2, 3))),
        "s2.coefficient": 4 * a * s * v["s2.coefficient"],
        "s2.bias": s * v["s2.bias"],
        "c3.weight": s * a * c3,
        "c3.bias": s * v["c3.bias"],
        "s4.coefficient": 4 * a * s * v["s4.coefficient"],
        "s4.bias": s * v["s4.bias"],
        "c5.weight": s * a * v["c5.weight"],
        "c5.bias": s * v["c5.bias"],
        "f6.weight": s * a * v["f6.weight"],
        "f6.bias": s * v["f6.bias"],
        "output.weight": a * v["output.weight"],
        "output.bias": v["output.bias"],
    }
    return {name: value.astype(np.float32) for name, value in folded.items()}
