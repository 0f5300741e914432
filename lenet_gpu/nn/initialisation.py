"""Initial values of a network's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lenet_gpu.paper import INITIAL_WEIGHT


class Initialisation(NamedTuple):
    """Initial values: weights are uniform in +-bound(fan-in), biases are 0.

    Attributes:
        bound: Largest weight of a unit from its number of inputs.
        coefficient: Coefficients of the subsampling layers.
    """

    bound: Callable[[np.ndarray], np.ndarray]
    coefficient: float


INITIALISATIONS = {
    # As printed in appendix A. The sum of four cells makes up for the small weights.
    "paper": Initialisation(lambda fan_in: INITIAL_WEIGHT / fan_in, 1.0),
    # Wider, with the mean of four cells: what second-order training (sdlm.py) needs.
    "sqrt": Initialisation(lambda fan_in: INITIAL_WEIGHT / np.sqrt(fan_in), 0.25),
    # Weighted sums as large as the inputs (LeCun, Bottou, Orr and Mueller 1998, "Efficient BackProp", eq. 16).
    "lecun": Initialisation(lambda fan_in: np.sqrt(3.0 / fan_in), 0.25),
}
"""Initial values by name."""
