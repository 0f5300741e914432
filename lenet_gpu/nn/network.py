"""A network: any list of layers over one flat parameter buffer, on one backend.

What is computed stands in the layers, and how they run in a row in stack.py; a network adds the input layer, the
loss, classes and files. `outputs`, `predict`, `evaluate` and `activations` run on the fast engine where there is one
for the network (engine/reading.py), and otherwise layer by layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np

from lenet_gpu import hooks
from lenet_gpu.backend import Backend, select_backend
from lenet_gpu.errors import InputError, LenetError
from lenet_gpu.nn import network_file
from lenet_gpu.nn.initialisation import INITIALISATIONS
from lenet_gpu.nn.inputs import check_images, check_input_range, check_labels
from lenet_gpu.nn.layer import Array, Layer
from lenet_gpu.nn.losses import Loss, loss_named, softmax
from lenet_gpu.nn.metrics import Evaluation, evaluate_outputs
from lenet_gpu.nn.stack import LayerStack, forward_layer
from lenet_gpu.paper import BACKGROUND, IMAGE_SIZE, INK, INPUT_SIZE

if TYPE_CHECKING:
    from lenet_gpu.nn.reader import Reader

BATCH = 500
"""Images computed layer by layer at once, which bounds the memory."""


class Network(LayerStack):
    """A list of layers, a loss, and where they compute.

    Args:
        layers: The layers in order; the first gets the input layer, (n, 1, 32, 32), and the last returns
            (n, classes). Layers with parameters need names of their own.
        loss: What training minimises: a name of `losses.LOSSES`, a `Loss`, or a function from (xp, outputs, labels)
            to the mean loss and its derivative by the outputs; "cross_entropy" if None.
        backend: Where the arrays live: "cpu", "gpu", "auto", or a `Backend`; the CPU if None.
        seed: Seed of the initial weights.
        dtype: "float32", or "float64" for gradient checks.
        background: Input value of an empty pixel; -0.1 if None (paper, section II.B).
        ink: Input value of a full pixel; 1.175 if None (paper).
        initialisation: How the weights begin, a name of `INITIALISATIONS`; "paper" if None.
        classes: Number of classes; found by running the layers once if None.

    A recipe says how values begin that are None here; it never changes those that were given.

    Attributes:
        parameters, gradients, views, gradient_views: See `LayerStack`.
        class_labels: What the classes are called, one integer or text each; empty: 0 to classes - 1.
        record: What the model file says of the training (recipe, seed, digests of the data, ...).
        extras: Further arrays of the model file by name, each with a dot in it (see recognition/rejection.py).

    Raises:
        InputError: A layer that does not fit, or an argument that makes no sense.
    """

    told = ""
    """The difference from LeNet-5 that a warning has named already; see engine/reading.py."""

    _classes_are_known: ClassVar[bool] = False

    def __init__(
        self,
        layers: Iterable[Layer],
        loss: str | Loss | Callable[..., Any] | None = None,
        backend: str | Backend | None = None,
        seed: int = 0,
        *,
        dtype: str = "float32",
        background: float | None = None,
        ink: float | None = None,
        initialisation: str | None = None,
        classes: int | None = None,
    ) -> None:
        where = backend if isinstance(backend, Backend) else select_backend(backend or "cpu")
        super().__init__(layers, where, seed, dtype)
        self._given = {
            name
            for name, value in (
                ("loss", loss), ("background", background), ("ink", ink), ("initialisation", initialisation)
            )
            if value is not None
        }  # fmt: skip
        self._loss = loss_named("cross_entropy" if loss is None else loss)
        self.class_labels: tuple[int | str, ...] = ()
        self.record: dict[str, Any] = {}
        self.extras: dict[str, np.ndarray] = {}
        self._reader: tuple[Any, Any] | None = None  # the engine that answers, and for what it was made
        self._begin(
            initialisation or "paper",
            BACKGROUND if background is None else background,
            INK if ink is None else ink,
        )
        self.classes = self._found_classes(classes)

    # ---- what it is

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

    @property
    def architecture(self) -> dict[str, Any]:
        """Facts by which a file can build the network again."""
        return network_file.describe(self)

    def __repr__(self) -> str:
        try:
            shapes = [str(("n", *shape[1:])).replace("'", "") for shape in self.output_shapes(self._empty_input())]
        except LenetError as error:
            shapes = [f"? {error}"] * len(self.layers)
        rows = [
            f"  {layer!r:<44} -> {shape:<18}{f'{layer.trainable:>8,}' if layer.trainable else ''}"
            f"{'  frozen' if layer.frozen and layer.trainable else ''}".rstrip()
            for layer, shape in zip(self.layers, shapes, strict=True)
        ]
        head = f"{type(self).__name__}: {self.parameters.size:,} parameters, {self.loss}, {self.dtype} on the "
        return "\n".join([f"{head}{self.backend.name}", *rows])

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

    # ---- answers, on the fast engine where there is one

    def reader(self) -> Reader | None:
        """Find the engine that answers for the network as it is now; None: its own layers do."""
        return cast("Reader | None", hooks.find_reader(self))

    def outputs(self, images: Any) -> np.ndarray:
        """Compute the scores of the classes before softmax: logits, or penalties with their sign turned.

        Args:
            images: (n, 28, 28), uint8 or float in 0..1, on the host.

        Returns:
            (n, classes) host array of the network's dtype.

        Raises:
            InputError: Images of another shape or dtype.
        """
        images = check_images(images)
        reader = self.reader()
        return self.readable_outputs(images) if reader is None else reader.outputs(images)

    def forward(self, images: Any) -> np.ndarray:
        """Compute class probabilities, the softmax of `outputs`.

        Args:
            images: (n, 28, 28), uint8 or float in 0..1, on the host; a single (28, 28) image counts as n = 1.

        Returns:
            (n, classes) host array; each row sums to 1.

        Raises:
            InputError: Images of another shape or dtype.
        """
        return softmax(np, self.outputs(images))

    def predict(self, images: Any) -> np.ndarray:
        """Predict the class of each image.

        Args:
            images: As for `forward`.

        Returns:
            (n,) on the host: int64, or what `class_labels` calls them.
        """
        best = self.outputs(images).argmax(axis=1)
        return np.array(self.class_labels)[best] if self.class_labels else best

    def evaluate(self, images: Any, labels: Any) -> Evaluation:
        """Compare the network's answers with labels.

        Args:
            images: As for `forward`.
            labels: (n,) classes as `predict` names them.

        Returns:
            The evaluation: accuracy, errors, loss, confusion.

        Raises:
            InputError: Images or labels of another shape, dtype or range.
        """
        images = check_images(images)
        if not len(images):
            raise InputError("images", found="none", expected="at least one to evaluate")
        numbers = check_labels(self.class_numbers(labels), len(images), self.classes)
        reader = self.reader()
        return evaluate_outputs(self.outputs(images), numbers) if reader is None else reader.evaluate(images, numbers)

    def activations(self, images: Any, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Compute the outputs of the layers by name, squashed where a squashing function follows.

        Args:
            images: (n, 28, 28) or (28, 28), uint8 or float in 0..1, on the host.
            names: Which layers; all that have a name if None.

        Returns:
            (n, ...) host arrays by name; without the first axis for a single image. LeNet-5's names are "c1", "s2",
            "c3", "s4", "c5", "f6" and "output"; "outputs" stands for the last layer's, whatever its name.

        Raises:
            InputError: Images of another shape or dtype, or a layer that does not exist.
        """
        checked = check_images(images)
        reader = self.reader()
        found = (self.readable_activations if reader is None else reader.activations)(checked, names)
        return {name: array[0] for name, array in found.items()} if np.ndim(images) == 2 else found

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

    # ---- files and copies

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (.npz without pickle): whole or not at all.

        Args:
            path: File to write; an existing one is replaced only once the new one is complete.

        Raises:
            InputError: The file can't be written, or a layer has an argument that a file can't hold.
        """
        network_file.save(self, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        backend: str | Backend | None = None,
        *,
        layers: Sequence[type[Layer]] = (),
        loss: Loss | Callable[..., Any] | None = None,
    ) -> Self:
        """Read a model file.

        Args:
            path: File written by `save`, folder of a run, or name of a shipped model ("touch", "mnist").
            backend: Where the arrays shall live; the CPU if None.
            layers: Classes of your own layers that the network has.
            loss: A loss of your own that the network was trained with; needed to train on.

        Returns:
            The network with its trained parameters and its record.

        Raises:
            ModelFileError: Missing, damaged, of another version, not a model file, or with layers that are not
                known; the error names them.
        """
        return network_file.load(cls, path, backend, layers, loss)

    @classmethod
    def from_architecture(
        cls,
        architecture: Any,
        backend: str | Backend | None,
        path: object,
        *,
        layers: Sequence[type[Layer]] = (),
        loss: Loss | Callable[..., Any] | None = None,
    ) -> Self:
        """Build the network that a file's metadata describes, with initial parameters; arguments as for `load`.

        Args:
            architecture: What `architecture` said.
            backend: Where the arrays shall live.
            path: The file, for error messages.
            layers: Classes of your own layers.
            loss: A loss of your own.
        """
        return network_file.build(cls, architecture, backend, path, layers, loss)

    def __getstate__(self) -> dict[str, Any]:
        """Return what to copy or pickle, without the engine that answers."""
        return {**super().__getstate__(), "_reader": None}

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


network_file.BUILDERS["layers"] = Network
