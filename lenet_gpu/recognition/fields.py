"""From pictures in MNIST's form to answers: the network's probabilities, and whether there is a digit at all."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.threads import ThreadPlans
from lenet_gpu.nn.extras import CONFIDENCE_FLOOR, TEMPERATURE
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import IMAGE_SIZE
from lenet_gpu.recognition.answers import Prediction
from lenet_gpu.recognition.rejection import GRAIN, SOME_GRAIN, UNDECIDED, Rejection, decide, grain

BATCH = 8
"""Pictures computed at once when there are several."""

CLOSE = 1e-4
"""Difference of probabilities, or of distances as a share, below which a batch's last bits might decide."""

LEAST = 1e-9
"""Probability whose logarithm stands for less, too."""


class FieldReader:
    """Reads pictures of 28x28 pixels with a trained network; several threads at once, each in its own buffers.

    Args:
        network: The network, on the CPU. After a change of its parameters call `refresh`.
    """

    def __init__(self, network: LeNet5) -> None:
        self.network = network
        self._rejection = Rejection.from_arrays(network.extras)
        self._sharpness = np.float32(1.0 / network.extras.get(TEMPERATURE, np.ones(1))[0])
        # In this process and for a few images at a time: worker processes would only cost time here.
        self._plans = self._plans_of(network)
        self.refresh()

    def __getstate__(self) -> dict[str, Any]:
        """Take along everything but the threads' buffers."""
        return {name: value for name, value in vars(self).items() if name != "_plans"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make buffers anew; for copy.deepcopy and for other processes."""
        vars(self).update(state)
        self._plans = self._plans_of(self.network)
        self.refresh()

    def refresh(self) -> None:
        """Take in the network's parameters again after a change of them."""
        self._plans.refresh()
        self._plans.get()

    def read(self, field: np.ndarray, reason: str = "") -> Prediction:
        """Read one picture.

        Args:
            field: (28, 28) uint8.
            reason: Why it is known not to be a digit; empty if it may be one.
        """
        probabilities, f6 = self._pass(field[None])
        return self.answer(field, self._calibrated(probabilities)[0], None if f6 is None else f6[0], reason)

    def read_several(self, fields: np.ndarray, reasons: list[str]) -> list[Prediction]:
        """Read pictures as `read` does, `BATCH` at a time.

        Args:
            fields: (n, 28, 28) uint8.
            reasons: Of each, why it is known not to be a digit.

        Returns:
            What `read` says of each; probabilities may differ in their last bits.
        """
        readings = Readings(self)
        readings.read(fields)
        return [
            self.read(field, reason) if readings.is_close(k) else readings.answer(k, reason)
            for k, (field, reason) in enumerate(zip(fields, reasons, strict=True))
        ]

    @staticmethod
    def _plans_of(network: LeNet5) -> ThreadPlans:
        """Make the plans, which give the same bits however many pictures are computed."""
        return ThreadPlans(partial(CpuPlan.of, network, capacity=BATCH, dense_chunks=1))

    def _pass(self, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Run the network once: probabilities (n, classes); F6 (n, 84) in units of A, if rejection asks for it."""
        plan = self._plans.get()
        if self._rejection is None:
            return plan.probabilities(fields, refresh=False), None
        return plan.read(fields, refresh=False)

    def look(self, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Run the network: calibrated probabilities, and F6 as `_pass` gives it.

        Always BATCH at a time: for each new number the plan would prepare its calls anew.
        """
        padded = np.zeros((-(-len(fields) // BATCH) * BATCH, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
        padded[: len(fields)] = fields
        probabilities, f6 = self._pass(padded)
        return self._calibrated(probabilities[: len(fields)]), None if f6 is None else f6[: len(fields)]

    def _calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Bring probabilities (n, classes) to the model's temperature: softmax(z / T) from softmax(z)."""
        if self._sharpness == 1.0:
            return probabilities
        powers = probabilities**self._sharpness
        return powers / powers.sum(axis=1, keepdims=True)

    def answer(self, field: np.ndarray, probabilities: np.ndarray, f6: np.ndarray | None, reason: str) -> Prediction:
        """Decide whether a picture is a digit, and why not: the one place where that is done."""
        if not field.any():
            reason = reason or "blank"
        if not reason:
            distance = limit = None
            if self._rejection is not None and f6 is not None:
                distance, limit = float(self._rejection.distances(f6[None])[0]), self._rejection.limit
            reason = decide(probabilities, distance, limit)
            grains = grain(field)
            # A model that was taught what is no digit knows noise by itself; another one needs to be told.
            if grains > (GRAIN if self._rejection is None else SOME_GRAIN) or (reason and grains > SOME_GRAIN):
                reason = "noise"
        return Prediction(int(probabilities.argmax()), probabilities, not reason, reason, field)

    def is_close(self, probabilities: np.ndarray, f6: np.ndarray | None) -> bool:
        """Tell whether a decision hangs on less than what a batch's sums may differ by."""
        first, second = np.sort(probabilities)[:-3:-1]
        close = first - second < CLOSE or abs(first - CONFIDENCE_FLOOR) < CLOSE or abs(second - UNDECIDED) < CLOSE
        if close or self._rejection is None or f6 is None:
            return bool(close)
        return abs(float(self._rejection.distances(f6[None])[0]) / self._rejection.limit - 1.0) < CLOSE


class Readings:
    """Answers to pictures that the network was handed bit by bit.

    Args:
        reader: Reads them.
    """

    def __init__(self, reader: FieldReader) -> None:
        self._reader = reader
        self._fields: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        self._f6: list[np.ndarray | None] = []

    def read(self, fields: np.ndarray) -> np.ndarray:
        """Read some more pictures.

        Args:
            fields: (n, 28, 28) uint8.

        Returns:
            (n,), the logarithm of the greatest probability of each.
        """
        probabilities, f6 = self._reader.look(fields)
        self._fields += list(fields)
        self._probabilities += list(probabilities)
        self._f6 += [None] * len(fields) if f6 is None else list(f6)
        return np.log(np.maximum(probabilities.max(axis=1), LEAST))

    def answer(self, number: int, reason: str) -> Prediction:
        """Answer to a picture.

        Args:
            number: Its number in the order read, from 0.
            reason: Why it is known not to be a digit; empty if it may be one.
        """
        return self._reader.answer(self._fields[number], self._probabilities[number], self._f6[number], reason)

    def is_close(self, number: int) -> bool:
        """Tell whether the answer to a picture hangs on a batch's last bits."""
        return self._reader.is_close(self._probabilities[number], self._f6[number])
