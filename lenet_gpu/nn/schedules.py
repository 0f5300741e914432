"""Learning-rate schedules: the step size of every step of a run."""

from __future__ import annotations

import numpy as np


def step_decay(learning_rate: float, decay: float, decay_every: int, epoch: int, steps: int) -> np.ndarray:
    """Keep the same rate during an epoch, multiplied by `decay` after every `decay_every` epochs.

    Args:
        learning_rate: Step size of the first epoch.
        decay: The factor.
        decay_every: Epochs between two decays.
        epoch: Number of the epoch, counted from 1.
        steps: Steps of the epoch.

    Returns:
        (steps,) float64.
    """
    return np.full(steps, learning_rate * decay ** ((epoch - 1) // decay_every))


def warm_up_cosine(learning_rate: float, warm_up: float, epochs: int, epoch: int, steps: int) -> np.ndarray:
    """Linear rise to the peak, then half a cosine down to 0 at the end of the run.

    Args:
        learning_rate: The peak.
        warm_up: Share of all steps that the rise takes, 0 to below 1.
        epochs: Epochs of the whole run.
        epoch: Number of this epoch, counted from 1.
        steps: Steps of an epoch.

    Returns:
        (steps,) float64.
    """
    done = (np.arange(steps) + 0.5 + (epoch - 1) * steps) / (epochs * steps)  # share of the run, mid-step
    rise = done / max(warm_up, 1e-9)
    fall = 0.5 + 0.5 * np.cos(np.pi * (done - warm_up) / (1.0 - warm_up))
    return learning_rate * np.where(done < warm_up, rise, fall)
