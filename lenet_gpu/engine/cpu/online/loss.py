"""The paper's output layer and its two losses in the plan for steps of one image, in few calls.

Everything is in terms of t, F6's output without the factor A of the squashing function, and of c_i, the digits'
codes without it. A loss is asked for dE/dt without the factor 2 A^2, which the learning rates have (plan.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lenet_gpu.paper import CLASSES, CODES, RUBBISH_PENALTY, SQUASH_A

Output = Callable[[int], float]
"""From an image's label to its loss; writes the derivative by t."""


def target_penalty(t: np.ndarray, dt: np.ndarray) -> Output:
    """Make loss (8), the penalty of the target class: E = A^2 |t - c_label|^2.

    Args:
        t: F6's output, (84,), read whenever the loss is asked for.
        dt: Receives t - c_label, (84,).
    """
    codes = list((np.array(CODES) / SQUASH_A).astype(t.dtype))
    subtract, dot, factor = np.subtract, np.dot, SQUASH_A**2

    def output(label: int) -> float:
        subtract(t, codes[label], dt)
        return factor * float(dot(dt, dt))

    return output


def maximum_a_posteriori(rows: np.ndarray, dt: np.ndarray) -> Output:
    """Make loss (9): E = y_label + log(e^-j + sum over i of e^-y_i), see `losses.maximum_a_posteriori`.

    All penalties have A^2 |t|^2 in common, which cancels in the softmax over them if it is taken from j as well.
    What is left, of the rubbish class too, comes from one product of the rows c_0 to c_9 and t with t; and the
    derivative, sum over i of (target_i - p_i)(t - c_i) = p_rubbish t + sum over i of (p_i - target_i) c_i, is a
    product with the same rows.

    Args:
        rows: (11, 84), the last of them F6's output; receives the codes in the others.
        dt: Receives the derivative, (84,).
    """
    t = rows[CLASSES]
    rows[:CLASSES] = np.array(CODES) / SQUASH_A
    # Scores, the penalties with their sign turned: 2 A^2 c_i.t - A^2 |c_i|^2, and A^2 t.t - j.
    factor = np.array([2.0 * SQUASH_A**2] * CLASSES + [SQUASH_A**2], t.dtype)
    constant = np.array([-float(len(CODES[0]))] * CLASSES + [-RUBBISH_PENALTY], t.dtype)
    p = np.zeros(CLASSES + 1, t.dtype)
    dot, multiply, add, subtract, exp, divide = np.dot, np.multiply, np.add, np.subtract, np.exp, np.divide
    log = math.log

    def output(label: int) -> float:
        dot(rows, t, p)
        multiply(p, factor, p)
        add(p, constant, p)
        subtract(p, p.max(), p)  # exp can't overflow then
        score = float(p[label])
        exp(p, p)
        total = p.sum()
        divide(p, total, p)
        p[label] -= 1.0
        dot(p, rows, dt)
        return log(total) - score if total == total else math.nan

    return output
