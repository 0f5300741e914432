"""The engine for NVIDIA GPUs: a training step in two kernels, many steps in one CUDA graph.

The kernels are in kernels/*.cu and compute what layers.py says. The training set, the parameters and all
intermediate results stay on the device; an epoch uploads its permutation and its learning rates, and reads
back its losses. The sums of a step are always formed in the same order: a run can be repeated bit by bit.
"""

from __future__ import annotations

import contextlib
import operator
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.augment import distort
from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.engine.cover import first_difference, unknown_optimizer, variant_of
from lenet_gpu.engine.cuda.ahead import StagedEpochs
from lenet_gpu.engine.cuda.buffers import (
    LOSSES,
    EpochBuffers,
    Schedule,
    coming_shares,
    count_steps,
    rule_of,
)
from lenet_gpu.engine.cuda.choice import Forms
from lenet_gpu.engine.cuda.device import covers, device_errors
from lenet_gpu.engine.cuda.forms import Form
from lenet_gpu.engine.cuda.inference import Inference
from lenet_gpu.engine.cuda.steps import StepArguments
from lenet_gpu.errors import InputError
from lenet_gpu.nn.inputs import check_images, check_labels

if TYPE_CHECKING:
    from lenet_gpu.nn.metrics import Evaluation
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer

PROGRESS_SECONDS = 0.2
"""Seconds between two readings of the losses for the progress bar; reading waits for the device."""

CHUNKS_AHEAD = 2
"""Chunks of steps that are enqueued ahead of time, so that the device never waits for Python."""


class CudaEngine(Engine):
    """Runs either network in float32 on one NVIDIA GPU.

    Args:
        network: The network; its parameters are trained where they lie on the device.
        optimizer: The update rule: plain gradient descent, `Nesterov`, whose state is trained where it lies, too, or
            `SDLM`, whose rates are read where they lie.

    Attributes:
        chunk_steps: Steps in one CUDA graph, or in one launch; the form's own number if None.
        form: The form of the kernels that train; chosen by device and batch size if None.
        captures: Whether steps are captured in CUDA graphs.

    Raises:
        InputError: The kernels do not know the network (see `engine.cover`), or not on this device (`covers`).
        BackendError: The kernels can't be compiled on this machine.
    """

    name = "cuda"
    stages = True
    chunk_steps: int | None = None
    form: type[Form] | None = None
    captures = True

    def __init__(self, network: Network, optimizer: Optimizer | None = None) -> None:
        super().__init__(network, optimizer)
        difference = first_difference(network, training=optimizer is not None)
        reason = difference or unknown_optimizer(optimizer) or covers(network, network.backend)
        if reason is not None:
            raise InputError("engine 'cuda'", found=reason, remedy="take the engine 'layered'")
        self._xp = xp = network.backend.xp
        self._buffers: EpochBuffers | None = None
        self._graphs: dict[int, Any] = {}  # by the steps they take
        self._images: Any = None
        self._labels: Any = None
        self._fields: Any = None
        self._state: tuple[Any, ...] = ()  # the optimiser's arrays that the graph was captured with
        self._loss = np.int32(LOSSES.get(network.loss, 0))  # asked for in training alone
        self._forms = Forms(xp, variant_of(network), network.classes)
        with device_errors(xp, "making a stream"):
            # Non-blocking: it doesn't wait for the default stream, as capturing a graph requires.
            self._stream = xp.cuda.Stream(non_blocking=True)
            self._inference = Inference(network, self._forms.of_inference(), self._stream)
            self._staged = StagedEpochs(xp)

    def described(self, batch_size: int) -> str:
        """Name the form of the kernels that a batch size gets; see `Engine.described`."""
        return f"cuda ({self._form(batch_size).description})"

    def _form(self, batch_size: int) -> Form:
        if self.form is None:
            return self._forms.of_training(batch_size)
        form = self._forms.get(self.form)
        if batch_size > form.largest_batch:
            raise InputError(
                "batch size", found=f"{batch_size} in the {form.name} form", expected=f"at most {form.largest_batch}"
            )
        return form

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Copy a training set to the device, where it stays as uint8.

        Args:
            images: (n, 28, 28) uint8 on the host; must not be changed afterwards.
            labels: (n,) integers on the host: 0 to below the number of classes, or that number: none of them.

        Raises:
            InputError: Images or labels of another shape, dtype or range.
            TrainingError: The device has no room.
        """
        if np.asarray(images).dtype != np.uint8:
            raise InputError("training images", found=f"dtype {np.asarray(images).dtype}", expected="uint8")
        checked = check_images(images)
        given, labels = labels, np.asarray(labels)
        check_labels(labels, len(checked), self.network.classes + 1)
        self._forget_epoch()  # a graph holds the addresses of the old set
        self._staged.close()  # its order may lead beyond the new one
        self._images = self._labels = None
        with device_errors(self._xp, "loading the training set"):
            self.network.backend.synchronize()
            self._images, self._labels = self._inference.load(checked, labels, (images, given))

    def train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None = None,
        distortions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take one step for every mini-batch of `order`; see `Engine.train`.

        Raises:
            InputError: Indices beyond the training set, a wrong number of learning rates, or distortions of
                another shape or with a field that does not exist.
            TrainingError: Out of device memory, or the device failed.
        """
        order = np.asarray(order)
        form = self._form(batch_size)
        staged = self._staged.find(order, distortions)
        if staged is None:
            self._check(order, distortions)
        distorted = distortions is not None
        elastic = distortions is not None and bool(distortions[:, distort.AMPLITUDE].any())
        schedule = Schedule(len(order), batch_size, distorted, elastic, self.chunk_steps or form.chunk_steps)
        if len(learning_rates) != schedule.steps:
            raise InputError("learning rates", found=str(len(learning_rates)), expected=f"{schedule.steps} steps")
        if schedule.steps == 0:
            return np.zeros(0, dtype=np.float32)
        with device_errors(self._xp, "training"):
            # The parameters may still be written on another stream, which ours doesn't wait for.
            self.network.backend.synchronize()
            shares = coming_shares(self.optimizer, schedule.steps)
            try:
                with self._stream:
                    buffers = self._prepared(schedule, form)
                    if staged is not None:
                        self._staged.take(staged, self._stream, buffers.order, buffers.distortions)
                    buffers.start(order if staged is None else None, learning_rates, distortions, shares)
                    form.begin(self.arguments(buffers))
                    try:
                        return self._run(buffers, form, progress)
                    finally:  # an interrupt, too, leaves whole steps
                        count_steps(self.optimizer, buffers)
            finally:
                self._stream.synchronize()

    def stage(self, order: np.ndarray, distortions: np.ndarray | None = None) -> None:
        """Upload a coming epoch on a stream of its own, beside the running one; see `Engine.stage`.

        Raises:
            InputError: What `train` would refuse.
            TrainingError: Out of device memory, or the device failed.
        """
        self._check(order, distortions)
        self.network.backend.use()  # the device of another thread
        with device_errors(self._xp, "uploading an epoch"):
            self._staged.fill(order, distortions)

    def _check(self, order: np.ndarray, distortions: np.ndarray | None) -> None:
        if self._images is None:
            raise InputError("engine 'cuda'", found="no training set", remedy="call load first")
        # The kernels follow the indices without looking.
        n = len(self._images)
        if len(order) and not (order.min() >= 0 and order.max() < n):
            raise InputError("order", found=f"{order.min()} to {order.max()}", expected=f"0 to {n - 1}")
        if distortions is None:
            return
        if distortions.shape != (len(order), distort.PARAMETERS):
            raise InputError(
                "distortions",
                found=f"shape {distortions.shape}",
                expected=str((len(order), distort.PARAMETERS)),
            )
        numbers = distortions[:, 6]
        if len(order) and not (numbers.min() >= 0 and numbers.max() < distort.FIELDS):
            raise InputError(
                "elastic fields", found=f"{numbers.min()} to {numbers.max()}", expected=f"0 to {distort.FIELDS - 1}"
            )

    def _run(self, buffers: EpochBuffers, form: Form, progress: Progress | None) -> np.ndarray:
        """Enqueue an epoch, always a little ahead of the device. The engine's stream is the current one."""
        schedule = buffers.schedule
        running: list[tuple[int, Any]] = []  # steps done when the event comes to pass
        done = 0
        shown = time.monotonic()
        for steps in schedule.chunks():
            if steps in self._graphs:
                self._graphs[steps].launch()
            else:
                form.enqueue(self.arguments(buffers), steps)
            done += steps
            running.append((done, self._stream.record(self._xp.cuda.Event(disable_timing=True))))
            if len(running) <= CHUNKS_AHEAD:
                continue
            finished, event = running.pop(0)
            event.synchronize()
            if progress is not None and time.monotonic() - shown > PROGRESS_SECONDS:
                progress(finished, self._host(buffers.losses[:finished]))
                shown = time.monotonic()
        losses = self._host(buffers.losses)
        if progress is not None:
            progress(schedule.steps, losses)
        return losses

    def _host(self, array: Any) -> np.ndarray:
        return np.array(self.network.backend.to_host(array))

    def arguments(self, buffers: EpochBuffers) -> StepArguments:
        """Return what the steps of an epoch read and write."""
        fields = self._fields if buffers.schedule.elastic else buffers.dummy
        return StepArguments(
            self.network.parameters,
            self._images,
            self._labels,
            self._loss,
            self._inference.pixel,
            fields,
            rule_of(self.optimizer, buffers),
            buffers,
        )

    def _prepared(self, schedule: Schedule, form: Form) -> EpochBuffers:
        """Return buffers for the epoch; capture its graphs, too: of a whole chunk, and of the steps left over."""
        buffers, state = self._buffers, tuple(self.optimizer.state.values())
        same_state = len(state) == len(self._state) and all(map(operator.is_, state, self._state))
        if buffers is not None and buffers.schedule == schedule and same_state:
            return buffers
        self._forget_epoch()
        if schedule.elastic and self._fields is None:
            self._fields = self._xp.asarray(np.ascontiguousarray(distort.elastic_fields()))
        buffers = EpochBuffers(self._xp, schedule, form.sizes, form.scratch())
        # The new counter says zero images: one empty step makes the driver load the kernels, which it can't do
        # while a graph is captured.
        form.begin(self.arguments(buffers))
        form.enqueue(self.arguments(buffers), 1)
        self._stream.synchronize()
        if self.captures and form.captured:
            with self._staged.lock:
                several = {steps for steps in schedule.chunks() if steps > 1}
                try:
                    self._graphs = {steps: self._captured(buffers, form, steps) for steps in several}
                except (self._xp.cuda.runtime.CUDARuntimeError, self._xp.cuda.driver.CUDADriverError):
                    if not form.overlaps:
                        raise
                    form.overlaps = False  # a driver that can launch such kernels, but can't capture them
                    self._graphs = {steps: self._captured(buffers, form, steps) for steps in several}
        self._buffers, self._state = buffers, state
        return buffers

    def _captured(self, buffers: EpochBuffers, form: Form, steps: int) -> Any:
        self._stream.begin_capture()
        try:
            form.enqueue(self.arguments(buffers), steps)
        except BaseException:
            with contextlib.suppress(Exception):
                self._stream.end_capture()  # else the stream could never be used again
            raise
        return self._stream.end_capture()

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute the scores of the classes before softmax (`LeNet5.outputs`); see `Engine.outputs`.

        Args:
            images: (n, 28, 28) on the host, uint8, or float in 0..1 (computed by the readable layers).
            progress: Called with the number of finished images.

        Returns:
            (n, classes) float32 on the host.

        Raises:
            InputError: Images of another shape or dtype.
            TrainingError: Out of device memory, or the device failed.
        """
        checked = check_images(images)
        if checked.dtype != np.uint8:
            return self.network.readable_outputs(checked)
        with device_errors(self._xp, "computing outputs"):
            self.network.backend.synchronize()
            return self._inference.outputs(checked, images, progress)

    def evaluate(self, images: np.ndarray, labels: np.ndarray, progress: Progress | None = None) -> Evaluation:
        """Compare the answers with labels, and sum their losses on the device; see `Engine.evaluate`.

        Raises:
            InputError: Images or labels of another shape, dtype or range.
            TrainingError: Out of device memory, or the device failed.
        """
        checked = check_images(images)
        if checked.dtype != np.uint8 or not len(checked):
            return super().evaluate(images, labels, progress)
        numbers = check_labels(labels, len(checked), self.network.classes + 1)
        with device_errors(self._xp, "evaluating"):
            self.network.backend.synchronize()
            return self._inference.evaluate(checked, numbers, (images, labels), progress)

    def keep(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Let a set that will be evaluated again stay on the device, where there is room; see `Engine.keep`."""
        if isinstance(images, np.ndarray) and images.dtype == np.uint8:
            self._inference.keep(images, labels)

    def _forget_epoch(self) -> None:
        self._graphs = {}  # first: they hold the addresses of the buffers
        self._buffers, self._state = None, ()

    def close(self) -> None:
        """Give back the device memory."""
        self._forget_epoch()
        self._inference.close()
        self._staged.close()
        self._images = self._labels = self._fields = None
