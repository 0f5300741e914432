"""Chooses the form of the kernels by what the device says of itself and by batch size."""

from __future__ import annotations

from typing import Any

from lenet_gpu.engine.cuda.device import Kernels, device_properties
from lenet_gpu.engine.cuda.forms import Alone, Cluster, Form, Portable, Throughput
from lenet_gpu.engine.cuda.occupancy import has_clusters, has_room


class Forms:
    """The forms that this device runs, each compiled when it is first asked for.

    Args:
        xp: The module cupy.
        variant: The network, one of `source.OUTPUTS`.
        classes: Number of its classes.

    Raises:
        BackendError: The kernels can't be compiled or loaded on this machine.
    """

    def __init__(self, xp: Any, variant: str, classes: int) -> None:
        self._xp, self._network = xp, (variant, classes)
        self._kernels: dict[str, Kernels] = {}
        self._made: dict[type[Form], Form] = {}
        self.of_inference()  # what can't be compiled says so at once

    def of_training(self, batch_size: int) -> Form:
        """Return the form for training with batches of a size."""
        if has_clusters(self._xp):
            form = self.get(Alone if batch_size == 1 else Cluster)
            if batch_size <= form.largest_batch:
                return form
        return self._of_many(batch_size > device_properties(self._xp)["multiProcessorCount"])

    def choices(self) -> list[tuple[int, Form]]:
        """Return each form that training takes on this device, behind the smallest batch size that gets it."""
        found: list[tuple[int, Form]] = []
        for batch_size in range(1, device_properties(self._xp)["multiProcessorCount"] + 2):
            form = self.of_training(batch_size)
            if not found or found[-1][1] is not form:
                found.append((batch_size, form))
        return found

    def of_inference(self) -> Form:
        """Return the form for inference."""
        return self._of_many(True)

    def _of_many(self, many: bool) -> Form:
        if many and has_room(self._xp):
            form = self.get(Throughput)
            if form.at_once:
                return form
        return self.get(Portable)

    def get(self, kind: type[Form]) -> Form:
        """Return a form, whether the device can run it or not."""
        if kind not in self._made:
            if kind.folder not in self._kernels:
                self._kernels[kind.folder] = Kernels(self._xp, *self._network, kind.folder)
            self._made[kind] = kind(self._xp, self._kernels[kind.folder])
        return self._made[kind]
