"""Facts of the 1998 paper as data, each with its section.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11):2278-2324, 1998. Nothing here computes; layers, networks and tests read it,
so that every number of the paper is written down once.
"""

from __future__ import annotations

from typing import NamedTuple

IMAGE_SIZE = 28
"""Side of an MNIST image in pixels."""

INPUT_SIZE = 32
"""Side of the input layer (section II.B): the 28x28 field padded by 2 pixels of background."""

KERNEL_SIZE = 5
"""Side of the receptive fields of C1, C3 and C5 (section II.B)."""

CLASSES = 10
"""Digits 0 to 9."""

NOT_A_DIGIT = 10
"""Label of training images that are no digit: every class has the same target probability."""

BACKGROUND = -0.1
INK = 1.175
"""Input values of background (white) and ink (black), which make the mean input roughly 0 and the
variance roughly 1 (section II.B)."""

SQUASH_A = 1.7159
SQUASH_S = 2.0 / 3.0
"""The squashing function f(a) = A tanh(S a) (equation 6 and appendix A)."""

INITIAL_WEIGHT = 2.4
"""Weights are drawn uniformly from +-2.4 / fan-in (appendix A)."""

C3_TABLE: tuple[tuple[int, ...], ...] = (
    (0, 1, 2),
    (1, 2, 3),
    (2, 3, 4),
    (3, 4, 5),
    (0, 4, 5),
    (0, 1, 5),
    (0, 1, 2, 3),
    (1, 2, 3, 4),
    (2, 3, 4, 5),
    (0, 3, 4, 5),
    (0, 1, 4, 5),
    (0, 1, 2, 5),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)
"""Table I: row i names the S2 maps that feed map i of C3."""


class LayerFacts(NamedTuple):
    """One row of section II.B.

    Attributes:
        name: The paper's name of the layer.
        maps: Number of feature maps (or units, for F6 and the output).
        size: Side of a map in units.
        trainable: Number of trainable parameters.
        connections: Number of connections, biases included.
    """

    name: str
    maps: int
    size: int
    trainable: int
    connections: int


HIDDEN_LAYERS: tuple[LayerFacts, ...] = (
    LayerFacts("C1", 6, 28, 156, 122_304),
    LayerFacts("S2", 6, 14, 12, 5_880),
    LayerFacts("C3", 16, 10, 1_516, 151_600),
    LayerFacts("S4", 16, 5, 32, 2_000),
    LayerFacts("C5", 120, 1, 48_120, 48_120),
    LayerFacts("F6", 84, 1, 10_164, 10_164),
)
"""C1 to F6, as printed in section II.B; both network variants share them."""

RBF_OUTPUT = LayerFacts("output", 10, 1, 0, 840)
"""The paper's output: ten Euclidean radial basis functions with fixed centres (section II.B)."""

CODE_HEIGHT, CODE_WIDTH = 12, 7
"""F6's 84 units form a bitmap of this size (section II.B)."""

_CODE_BITMAPS = """
.#####. ...##.. .#####. ####### .#####. .#####. ..####. ####### .#####. .#####.
....... ..###.. ....... .....## ....... ....... .##.... .....## ##...## ##..###
..###.. .####.. .#####. ....##. ....... ####### ##..... .....## ##...## ##...##
.##.##. ...##.. ##...## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##
##...## ...##.. #....## ..####. .##..## ##..... ######. ...##.. .#####. ##..###
##...## ...##.. ....##. .....## ###..## .####.. ###..## ...##.. ##...## .######
##...## ...##.. ..###.. .....## ##...## ..####. ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ##...## .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ##..### ##...## ###..## ..##... ##...## ....##.
..###.. .###### ####### .#####. .###### .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
"""

CODES: tuple[tuple[int, ...], ...] = tuple(
    tuple(1 if cell == "#" else -1 for line in _CODE_BITMAPS.split("\n")[1:-1] for cell in line.split(" ")[digit])
    for digit in range(CLASSES)
)
"""The centres of the RBF units, drawn above for the digits 0 to 9: stylised pictures, as in figure 3, whose 84
cells are what F6 should say, row by row; black is +1 and white -1 (section II.B)."""

RUBBISH_PENALTY = 12.0
"""Penalty of the rubbish class (section II.C; j of equation 9, for which the paper gives no value): that of a
drawing half-way between the two closest codes, which differ in 12 of the 84 cells."""

SDLM_MU = 0.02
"""Safety constant of the second-order learning rates (section III.B; mu of appendix C)."""

SDLM_SAMPLES = 500
"""Training images from which the second derivatives are estimated anew before every pass (section III.B)."""

SDLM_RATES: tuple[float, ...] = (
    *(5e-4,) * 2,
    *(2e-4,) * 3,
    *(1e-4,) * 3,
    *(5e-5,) * 4,
    *(1e-5,) * 8,
)
"""Global learning rate eta of each of the twenty passes (section III.B)."""

SOFTMAX_OUTPUT = LayerFacts("output", 10, 1, 850, 850)
"""The modern output: a linear layer of 84 inputs and a bias for each class, before softmax."""

PAPER_PARAMETERS = 60_000
"""Trainable parameters of the paper's network (section II.B)."""

PAPER_CONNECTIONS = 340_908
"""Connections of the paper's network (section II.B)."""

MODERN_PARAMETERS = 60_850
"""Trainable parameters with the linear + softmax output."""
