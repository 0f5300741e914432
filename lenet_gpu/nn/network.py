"""A network: any list of layers over one flat parameter buffer, on one backend.

What is computed stands in the layers, and how they run between input and loss in readable.py; a network adds answers
and files. `outputs`, `predict`, `evaluate` and `activations` run on the fast engine where there is one
for the network (engine/reading.py), and otherwise layer by layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from lenet_gpu import hooks
from lenet_gpu.backend import Backend, select_backend
from lenet_gpu.errors import InputError, LenetError
from lenet_gpu.nn import network_file
from lenet_gpu.nn.inputs import check_images, check_labels
from lenet_gpu.nn.layer import Layer
from lenet_gpu.nn.losses import Loss, softmax
from lenet_gpu.nn.metrics import Evaluation, evaluate_outputs
from lenet_gpu.nn.readable import ReadableNetwork

if TYPE_CHECKING:
    from lenet_gpu.nn.reader import Reader


class Network(ReadableNetwork):
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
        self.record: dict[str, Any] = {}
        self.extras: dict[str, np.ndarray] = {}
        self._reader: tuple[Any, Any] | None = None  # the engine that answers, and for what it was made
        super().__init__(layers, where, seed, dtype, loss, background, ink, initialisation, classes)

    # ---- what it is

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


network_file.BUILDERS["layers"] = Network
