"""Input layer, layers, loss and classes, computed by the layers themselves: the readable way through any network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from lenet_gpu.backend import Backend
from lenet_gpu.errors import InputError
from lenet_gpu.nn.initialisation import INITIALISATIONS
from lenet_gpu.nn.inputs import check_images, check_input_range, check_labels
from lenet_gpu.nn.layer import Array, Layer
from lenet_gpu.nn.losses import Loss, loss_named
from lenet_gpu.nn.stack import LayerStack, forward_layer
from lenet_gpu.paper import BACKGROUND, IMAGE_SIZE, INK, INPUT_SIZE

BATCH = 500
"""Images computed layer by layer at once, which bounds the memory."""


class ReadableNetwork(LayerStack):
    """Base of `Network`: what it computes, and how it begins.

    Args:
        layers, backend, seed, dtype: See `LayerStack`.
        loss, background, ink, initialisation, classes: See `Network`, whose user may leave them to a recipe (None).

    Raises:
        InputError: A layer that does not fit, or an argument that makes no sense.
    """

    _classes_are_known: ClassVar[bool] = False

    def __init__(
        self, layers: Iterable[Layer], backend: Backend, seed: int, dtype: str,
        loss: str | Loss | Callable[..., Any] | None, background: float | None, ink: float | None,
        initialisation: str | None, classes: int | None,
    ) -> None:  # fmt: skip
        super().__init__(layers, backend, seed, dtype)
        self._given = {
            name
            for name, value in (
                ("loss", loss), ("background", background), ("ink", ink), ("initialisation", initialisation)
            )
            if value is not None
        }  # fmt: skip
        self._loss = loss_named("cross_entropy" if loss is None else loss)
        self.class_labels: tuple[int | str, ...] = ()
        self._begin(
            initialisation or "paper",
            BACKGROUND if background is None else background,
            INK if ink is None else ink,
        )
        self.classes = self._found_classes(classes)

    # ---- loss and classes

    @property
    def loss(self) -> str:
        """Name of the loss that training minimises; set it by name, `Loss` or function."""
        return self._loss[0]

    @loss.setter
    def loss(self, loss: str | Loss | Callable[..., Any]) -> None:
        self._loss = loss_named(loss)
        self._given.add("loss")

    @property
    def criterion(self) -> Loss:
        """The loss itself."""
        return self._loss[1]

    @property
    def sign(self) -> float:
        """Factor that turns outputs into scores, of which the largest wins."""
        return self.layers[-1].sign

    def class_numbers(self, labels: Any) -> np.ndarray:
        """Turn labels as `predict` gives them into classes from 0.

        Raises:
            InputError: A label that no class is called by.
        """
        if not self.class_labels:
            return np.asarray(labels)
        number = {label: k for k, label in enumerate(self.class_labels)}
        values = np.asarray(labels).tolist()
        unknown = [value for value in values if value not in number]
        if unknown:
            expected = ", ".join(map(str, self.class_labels))
            raise InputError("labels", found=repr(unknown[0]), expected=f"one of {expected}")
        return np.array([number[value] for value in values], dtype=np.int64)

    # ---- parameters

    def initialise(self, initialisation: str, background: float, ink: float) -> None:
        """Begin anew: initial weights from the seed, and the values that pixels have in the input layer.

        Args:
            initialisation: One of `INITIALISATIONS`.
            background: Input value of an empty pixel.
            ink: Input value of a full pixel.

        Raises:
            InputError: Unknown initialisation, or values of pixels that carry no picture.
        """
        self._given |= {"initialisation", "background", "ink"}
        self._begin(initialisation, background, ink)

    def _begin(self, initialisation: str, background: float, ink: float) -> None:
        if initialisation not in INITIALISATIONS:
            raise InputError(
                "initialisation", found=repr(initialisation), expected=" or ".join(map(repr, INITIALISATIONS))
            )
        background, ink = check_input_range(background, ink)
        self.initialisation, self._background, self._ink = initialisation, background, ink
        self.set_parameters(self.initial_parameters(self.seed))
        self._restore_brought()

    @property
    def background(self) -> float:
        """Input value of an empty pixel."""
        return self._background

    @background.setter
    def background(self, value: float) -> None:
        self._background = float(value)
        self._given.add("background")

    @property
    def ink(self) -> float:
        """Input value of a full pixel."""
        return self._ink

    @ink.setter
    def ink(self, value: float) -> None:
        self._ink = float(value)
        self._given.add("ink")

    def adopt(self, *, initialisation: str, background: float, ink: float, loss: str) -> None:
        """Apply a recipe's initial values, except those given by the user; trained parameters stay."""
        if self.is_new:
            self._begin(
                self.initialisation if "initialisation" in self._given else initialisation,
                self.background if "background" in self._given else background,
                self.ink if "ink" in self._given else ink,
            )
        if "loss" not in self._given:
            self._loss = loss_named(loss)

    @property
    def is_new(self) -> bool:
        """True while the parameters are the initial ones."""
        initial = self.initial_parameters(self.seed).astype(self.dtype)
        return bool((self.host_parameters() == initial).all())

    # ---- computing, layer by layer

    def grid_layer(self, grid: Array) -> Array:
        """Make the network's input of ready-made pixels of its whole field, such as distorted images.

        Args:
            grid: (n, 1024) float on the backend, pixel values 0 (background) to 255 (ink), margin included.

        Returns:
            (n, 1, 32, 32).
        """
        x = grid.astype(self.dtype).reshape(-1, 1, INPUT_SIZE, INPUT_SIZE)
        return x * ((self.ink - self.background) / 255.0) + self.background

    def input_layer(self, images: Array) -> Array:
        """Make the network's input of images (LeCun et al. 1998, section II.B).

        Args:
            images: (n, 28, 28) on the backend, uint8, or float in 0 (background) to 1 (ink).

        Returns:
            (n, 1, 32, 32): background at -0.1, ink at 1.175, with a margin of 2 background pixels.
        """
        xp = self.backend.xp
        scale = (self.ink - self.background) / (255.0 if images.dtype == xp.uint8 else 1.0)
        margin = (INPUT_SIZE - IMAGE_SIZE) // 2
        x = xp.full((len(images), 1, INPUT_SIZE, INPUT_SIZE), self.background, dtype=self.dtype)
        x[:, 0, margin:-margin, margin:-margin] += images.astype(self.dtype) * scale
        return x

    def loss_backward(self, images: Array, labels: Array) -> Array:
        """Compute loss and gradients of images (n, 28, 28) and labels (n,) on the backend.

        Training calls `input_loss_backward` instead, which this is a short form of.
        """
        return self.input_loss_backward(self.input_layer(images), labels)

    def input_loss_backward(self, x: Array, labels: Array, training: bool = False) -> Array:
        """Compute loss and gradients of a batch without leaving the backend.

        Args:
            x: The input layer, (n, 1, 32, 32) on the backend.
            labels: (n,) integers on the backend.
            training: Whether this is a step of training.

        Returns:
            The mean loss, a 0-d array on the backend; the gradient is in `gradients`.

        Raises:
            InputError: A loss of another form.
        """
        with self._lock:
            y = self.forward_layers(x, training)
            found = self.criterion.value(self.backend.xp, y, labels)
            if not (isinstance(found, tuple) and len(found) == 2) or getattr(found[1], "shape", None) != y.shape:
                raise InputError(
                    f"loss {self.loss}",
                    found=f"{type(found).__name__} for outputs of shape {tuple(y.shape)}",
                    expected=f"the mean loss and its derivative by the outputs, {tuple(y.shape)}",
                )
            loss, dy = found
            if getattr(loss, "shape", ()) != ():
                raise InputError(f"loss {self.loss}", found=f"shape {loss.shape}", expected="the mean, one number")
            self.backward_layers(dy)
            return loss

    def loss_and_grads(self, images: Any, labels: Any) -> tuple[float, dict[str, np.ndarray]]:
        """Compute the mean loss of a batch and its derivative by every parameter.

        Args:
            images: (n, 28, 28), uint8 or float in 0..1, on the host.
            labels: (n,) integers from 0 to below `classes`, on the host.

        Returns:
            The loss, and copies of the gradients on the host by the names and shapes of `views`.

        Raises:
            InputError: Images or labels of another shape, dtype or range.
        """
        images = check_images(images)
        labels = check_labels(self.class_numbers(labels), len(images), self.classes)
        with self._lock:
            x = self.input_layer(self.backend.asarray(np.ascontiguousarray(images)))
            loss = self.input_loss_backward(x, self.backend.asarray(labels))
            host = np.array(self.backend.to_host(self.gradients))
        return float(self.backend.to_host(loss)), self.views_of(host)

    def readable_outputs(self, images: Any) -> np.ndarray:
        """Compute `outputs` layer by layer, whatever engine there is."""
        images = check_images(images)
        out = np.empty((len(images), self.classes), self.dtype)
        for start in range(0, len(images), BATCH):
            with self._lock:
                x = self.input_layer(self.backend.asarray(np.ascontiguousarray(images[start : start + BATCH])))
                out[start : start + BATCH] = self.backend.to_host(self.forward_layers(x))
        return out * np.dtype(self.dtype).type(self.sign)

    def readable_activations(self, images: Any, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Compute `activations` layer by layer."""
        images = check_images(images)
        found: dict[str, list[np.ndarray]] = {}
        for start in range(0, max(1, len(images)), BATCH):
            # Without images, one shows the shapes.
            batch = images[start : start + BATCH] if len(images) else np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
            with self._lock:
                outputs = self._named_outputs(self.input_layer(self.backend.asarray(np.ascontiguousarray(batch))))
            if names is None and self.layers[-1].name:
                del outputs["outputs"]
            for key in outputs if names is None else names:
                if key not in outputs:
                    raise InputError("layer", found=repr(key), expected=" or ".join(map(repr, outputs)))
                found.setdefault(key, []).append(self.backend.to_host(outputs[key]))
        return {key: np.concatenate(parts)[: len(images)] for key, parts in found.items()}

    def _named_outputs(self, x: Array) -> dict[str, Array]:
        """Run the layers forward; each one's output by name, on the backend."""
        self.settle()
        outputs: dict[str, Array] = {}
        name = ""
        for layer in self.layers:
            layer.training = False
            y = forward_layer(layer, x)
            name = layer.name or name
            # A nameless layer that keeps the shape, such as a squashing function, belongs to the one before; so
            # does one that makes units of maps of one unit each, as behind C5.
            if name and (layer.name or y.shape == x.shape or x.shape[2:] == (1, 1)):
                outputs[name] = y
            x = y
        outputs["outputs"] = x
        return outputs

    def _empty_input(self) -> Array:
        """Make the input layer of one empty image."""
        return self.input_layer(self.backend.xp.zeros((1, IMAGE_SIZE, IMAGE_SIZE), dtype="uint8"))

    def _found_classes(self, given: int | None) -> int:
        """Find the number of classes by running one empty image."""
        if given is not None and self._classes_are_known:
            return given
        shape = self.output_shapes(self._empty_input())[-1]
        if len(shape) != 2 or shape[1] < 2:
            raise InputError(
                f"layer {self.layers[-1]!r}",
                found=f"outputs of shape {shape} for one image",
                expected="(1, classes), with 2 classes or more",
                remedy="end the list with a Dense layer, after Flatten where maps come before it",
            )
        if given not in (None, shape[1]):
            raise InputError("classes", found=str(given), expected=f"{shape[1]}, as the last layer returns")
        return shape[1]
