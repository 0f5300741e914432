"""Tell that a run diverged: when, at which learning rate, and which epoch its files hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.errors import TrainingError

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network


class Divergence:
    """Notices that a run diverged.

    Args:
        learning_rate: The recipe's peak rate, to be named in the error; None for a schedule of the user's own.
    """

    def __init__(self, learning_rate: float | None) -> None:
        self._learning_rate = learning_rate

    def check_losses(self, losses: np.ndarray, epoch: int) -> None:
        """Raise TrainingError if the loss of a step of the epoch, (steps,), is NaN or infinite."""
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            raise self.error(f"the loss is {losses[bad[0]]}", f"at step {bad[0] + 1} of", epoch, epoch - 1)

    def check_parameters(self, model: Network, steps: int, epoch: int) -> None:
        """Raise TrainingError if the epoch's last step left NaN or infinity behind that no loss has seen yet."""
        if not np.isfinite(model.host_parameters()).all():
            raise self.error("a parameter became NaN or infinite", f"at step {steps} of", epoch, epoch - 1)

    def error(self, what: str, when: str, epoch: int, kept: int) -> TrainingError:
        """Make the error.

        Args:
            what: What was seen.
            when: Where in the epoch, with its preposition: "after", "at step 3 of".
            epoch: Number of the epoch.
            kept: Number of the epoch that the run's files hold; 0: none.
        """
        rate = "" if self._learning_rate is None else f" (learning rate {self._learning_rate:g})"
        return TrainingError(
            f"training diverged: {what} {when} epoch {epoch}{rate}",
            remedy="lower the learning rate" + (f"; files hold the state after epoch {kept}" if kept else ""),
        )
