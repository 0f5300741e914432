"""The networks: LeNet-5 as a list of layers over one flat parameter buffer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.errors import InputError, ModelFileError
from lenet_gpu.nn.checks import check_images, check_labels
from lenet_gpu.nn.layers import Convolution, Dense, Flatten, Layer, ScaledTanh, Shape, Subsampling, named_views
from lenet_gpu.nn.losses import LOSSES, softmax
from lenet_gpu.nn.rbf import RadialBasis
from lenet_gpu.paper import BACKGROUND, C3_TABLE, CLASSES, IMAGE_SIZE, INITIAL_WEIGHT, INK, INPUT_SIZE
from lenet_gpu.storage import model_file

if TYPE_CHECKING:
    from lenet_gpu.backend.backend import Backend

Array = Any


def hidden_layers() -> list[Layer]:
    """C1 to F6 of the paper (LeCun et al. 1998, section II.B), every one of them squashed."""
    return [
        # input (n, 1, 32, 32)
        Convolution("c1", 1, 6),  # (n, 6, 28, 28)
        ScaledTanh(),
        Subsampling("s2", 6),  # (n, 6, 14, 14)
        ScaledTanh(),
        Convolution("c3", 6, 16, C3_TABLE),  # (n, 16, 10, 10)
        ScaledTanh(),
        Subsampling("s4", 16),  # (n, 16, 5, 5)
        ScaledTanh(),
        Convolution("c5", 16, 120),  # (n, 120, 1, 1)
        ScaledTanh(),
        Flatten(),  # (n, 120)
        Dense("f6", 120, 84),  # (n, 84)
        ScaledTanh(),
    ]


class Variant(NamedTuple):
    """What distinguishes the networks: what follows F6.

    Attributes:
        output: Makes the output layer for a number of classes.
        losses: Losses it can be trained with, of `losses.LOSSES`; the first unless another is asked for.
        sign: By what the output layer's values are multiplied to become scores, of which the largest wins.
    """

    output: Callable[[int], Layer]
    losses: tuple[str, ...]
    sign: float


VARIANTS = {
    # A linear layer before softmax: 60,850 parameters.
    "modern": Variant(lambda classes: Dense("output", 84, classes), ("cross_entropy",), 1.0),  # (n, classes)
    # The paper's distances from fixed codes, penalties of which the smallest wins: 60,000 parameters.
    "paper": Variant(lambda classes: RadialBasis("output"), ("rbf", "map"), -1.0),  # (n, 10)
}
"""The networks by name."""


class Initialisation(NamedTuple):
    """How a network's parameters begin; weights are uniform in +-bound(fan-in), biases are 0.

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


class LeNet5:
    """A LeNet-5 on one backend.

    Args:
        variant: "modern": the paper's C1 to F6 with a softmax output. "paper": with the paper's own output, radial
            basis functions around fixed codes (rbf.py).
        backend: Where the arrays live; the CPU if None. See `select_backend`.
        seed: Seed of the initial weights.
        dtype: "float32", or "float64" for gradient checks.
        background: Input value of an empty pixel (paper, section II.B: -0.1).
        ink: Input value of a full pixel (paper: 1.175).
        initialisation: How the weights begin, one of `INITIALISATIONS` ("paper": LeCun et al. 1998, appendix A).
        classes: Number of classes, from 2; the paper's output layer knows the ten digits alone.

    Attributes:
        loss: Name of the loss that training minimises, one of the variant's; its first to begin with.
        parameters: The one flat parameter buffer, (60850,) on the backend; (60000,) of "paper".
        gradients: The flat gradient buffer of the same layout.
        views: Views of `parameters` by name: c1.weight (6, 1, 5, 5), c1.bias (6,), s2.coefficient (6,),
            s2.bias (6,), c3.weight (60, 5, 5) (a kernel for each connected pair of Table I, in order of
            C3 map, then S2 map), c3.bias (16,), s4.coefficient (16,), s4.bias (16,),
            c5.weight (120, 16, 5, 5), c5.bias (120,), f6.weight (84, 120), f6.bias (84,),
            output.weight (10, 84), output.bias (10,); "paper" has none of the last two.
        gradient_views: Views of `gradients`, likewise.
        record: What the model file says of the training (recipe, seed, digests of the data, ...).
        extras: Further arrays of the model file by name, each with a dot in it (see rejection.py).

    Raises:
        InputError: Unknown variant or dtype, or a seed out of range.
    """

    def __init__(
        self,
        variant: str = "modern",
        backend: Backend | None = None,
        seed: int = 0,
        *,
        dtype: str = "float32",
        background: float = BACKGROUND,
        ink: float = INK,
        initialisation: str = "paper",
        classes: int = CLASSES,
    ) -> None:
        if variant not in VARIANTS:
            raise InputError("network variant", found=repr(variant), expected=" or ".join(map(repr, VARIANTS)))
        if dtype not in ("float32", "float64"):
            raise InputError("dtype", found=repr(dtype), expected="'float32' or 'float64'")
        if classes < 2 or (variant == "paper" and classes != CLASSES):
            expected = "10, the digits" if variant == "paper" else "2 or more"
            raise InputError("classes", found=str(classes), expected=expected)
        if not 0 <= seed <= seeds.MAX_SEED:
            raise InputError("seed", found=str(seed), expected=f"0 to {seeds.MAX_SEED}")
        if backend is None:
            from lenet_gpu.backend.backend import select_backend

            backend = select_backend("cpu")
        self.variant, self.backend, self.dtype, self.seed = variant, backend, dtype, seed
        self.classes = classes
        self.background, self.ink = float(background), float(ink)
        self.initialisation = initialisation
        self.record: dict[str, Any] = {}
        self.extras: dict[str, np.ndarray] = {}
        self.loss = VARIANTS[variant].losses[0]
        self.layers = [*hidden_layers(), VARIANTS[variant].output(classes)]
        self.layers[0].needs_input_gradient = False
        xp = backend.xp
        count = sum(layer.trainable for layer in self.layers)
        self.parameters: Array = xp.zeros(count, dtype=dtype)
        self.gradients: Array = xp.zeros(count, dtype=dtype)
        self.views = self.views_of(self.parameters)
        self.gradient_views = self.views_of(self.gradients)
        for layer in self.layers:
            layer.bind(
                xp,
                {key: self.views[f"{layer.name}.{key}"] for key in layer.shapes},
                {key: self.gradient_views[f"{layer.name}.{key}"] for key in layer.shapes},
            )
        self.initialise(initialisation, background, ink)

    # ---- parameters

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shape of every parameter by its name, in the order of the flat buffer."""
        return {f"{layer.name}.{key}": s for layer in self.layers for key, s in layer.shapes.items()}

    def views_of(self, flat: Array) -> dict[str, Array]:
        """Named views of any flat array with the layout of `parameters` (host or device)."""
        return named_views(flat, self.shapes)

    def initialise(self, initialisation: str, background: float, ink: float) -> None:
        """Begin anew: initial weights from the seed, and the values that pixels have in the input layer.

        Args:
            initialisation: One of `INITIALISATIONS`.
            background: Input value of an empty pixel.
            ink: Input value of a full pixel.

        Raises:
            InputError: Unknown initialisation.
        """
        if initialisation not in INITIALISATIONS:
            raise InputError(
                "initialisation", found=repr(initialisation), expected=" or ".join(map(repr, INITIALISATIONS))
            )
        self.initialisation, self.background, self.ink = initialisation, float(background), float(ink)
        self.set_parameters(self.initial_parameters(self.seed))

    @property
    def is_new(self) -> bool:
        """Whether the parameters are still the initial ones."""
        initial = self.initial_parameters(self.seed).astype(self.dtype)
        return bool((self.host_parameters() == initial).all())

    def initial_parameters(self, seed: int) -> np.ndarray:
        """Initial values, drawn on the host: the same on every backend.

        Args:
            seed: Seed of the run.

        Returns:
            (60850,) float64; see `Initialisation`.
        """
        begin = INITIALISATIONS[self.initialisation]
        rng = seeds.generator(seed, seeds.WEIGHTS)
        flat = np.zeros(self.parameters.size)
        views = self.views_of(flat)
        for layer in self.layers:
            for key, shape in layer.shapes.items():
                view = views[f"{layer.name}.{key}"]
                if key in layer.fan_in:
                    fan_in = np.asarray(layer.fan_in[key], dtype=float)
                    bound = begin.bound(fan_in.reshape(-1, *[1] * (len(shape) - 1)))
                    view[...] = rng.uniform(-1.0, 1.0, shape) * bound
                else:
                    view[...] = begin.coefficient if key == "coefficient" else 0.0
        return flat

    def set_parameters(self, flat: np.ndarray) -> None:
        """Overwrite all parameters.

        Args:
            flat: (60850,) host array of any float dtype.
        """
        self.parameters[...] = self.backend.asarray(np.ascontiguousarray(flat, dtype=self.dtype))

    def host_parameters(self) -> np.ndarray:
        """A copy of the flat parameter buffer on the host, (60850,)."""
        return np.array(self.backend.to_host(self.parameters))

    @property
    def architecture(self) -> dict[str, Any]:
        """What a file must say to build the network again."""
        return {
            "variant": self.variant,
            "dtype": self.dtype,
            "background": self.background,
            "ink": self.ink,
            "classes": self.classes,
        }

    # ---- computing

    def grid_layer(self, grid: Array) -> Array:
        """The network's input from ready-made pixels of its whole field, such as distorted images.

        Args:
            grid: (n, 1024) float on the backend, pixel values 0 (background) to 255 (ink), margin included.

        Returns:
            (n, 1, 32, 32).
        """
        x = grid.astype(self.dtype).reshape(-1, 1, INPUT_SIZE, INPUT_SIZE)
        return x * ((self.ink - self.background) / 255.0) + self.background

    def input_layer(self, images: Array) -> Array:
        """The network's input from images (LeCun et al. 1998, section II.B).

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

    def forward_layers(self, x: Array) -> Array:
        """Run all layers forward: input layer (n, 1, 32, 32) -> output layer (n, 10), on the backend."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward_layers(self, dy: Array) -> None:
        """Run all layers backward from dE/doutput (n, 10); fills the gradient buffer."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)

    def loss_backward(self, images: Array, labels: Array) -> Array:
        """Forward and backward of a batch without leaving the backend.

        Args:
            images: (n, 28, 28) on the backend.
            labels: (n,) integers on the backend.

        Returns:
            The mean loss, a 0-d array on the backend; the gradient is in `gradients`.
        """
        return self.input_loss_backward(self.input_layer(images), labels)

    def input_loss_backward(self, x: Array, labels: Array) -> Array:
        """As `loss_backward`, from the input layer (n, 1, 32, 32) on."""
        loss, dy = LOSSES[self.loss].value(self.backend.xp, self.forward_layers(x), labels)
        self.backward_layers(dy)
        return loss

    def outputs(self, images: Any, batch_size: int = 1000) -> np.ndarray:
        """Scores of the digits before softmax: logits, or penalties with their sign turned ("paper").

        Args:
            images: (n, 28, 28), uint8 or float in 0..1, on the host.
            batch_size: Images computed at a time, which bounds the memory.

        Returns:
            (n, 10) host array of the network's dtype.

        Raises:
            InputError: Images of another shape or dtype.
        """
        images = check_images(images)
        out = np.empty((len(images), self.classes), dtype=self.dtype)
        for start in range(0, len(images), batch_size):
            batch = self.backend.asarray(images[start : start + batch_size])
            y = self.forward_layers(self.input_layer(batch))
            out[start : start + batch_size] = self.backend.to_host(y)
        return out * out.dtype.type(VARIANTS[self.variant].sign)

    def forward(self, images: Any) -> np.ndarray:
        """Class probabilities, the softmax of `outputs`.

        Args:
            images: (n, 28, 28), uint8 or float in 0..1, on the host; a single (28, 28) image counts as n = 1.

        Returns:
            (n, 10) host array; each row sums to 1.

        Raises:
            InputError: Images of another shape or dtype.
        """
        return softmax(np, self.outputs(images))

    def predict(self, images: Any) -> np.ndarray:
        """The digits with the largest score, (n,) int64 on the host; arguments as for `forward`."""
        return self.outputs(images).argmax(axis=1)

    def loss_and_grads(self, images: Any, labels: Any) -> tuple[float, dict[str, np.ndarray]]:
        """Mean loss of a batch and its derivative by every parameter.

        Args:
            images: (n, 28, 28), uint8 or float in 0..1, on the host.
            labels: (n,) integers 0..9 on the host.

        Returns:
            The loss, and copies of the gradients on the host by the names and shapes of `views`.

        Raises:
            InputError: Images or labels of another shape, dtype or range.
        """
        images = check_images(images)
        labels = check_labels(labels, len(images), self.classes)
        loss = self.loss_backward(self.backend.asarray(images), self.backend.asarray(labels))
        host = np.array(self.backend.to_host(self.gradients))
        return float(self.backend.to_host(loss)), self.views_of(host)

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (.npz without pickle): whole or not at all.

        Args:
            path: File to write; an existing one is replaced only once the new one is complete.

        Raises:
            InputError: The file can't be written.
        """
        arrays = {name: np.asarray(view) for name, view in self.views_of(self.host_parameters()).items()}
        meta = {"architecture": self.architecture, "record": self.record}
        model_file.write(path, "model", meta, {**arrays, **self.extras})

    @classmethod
    def load(cls, path: str | os.PathLike[str], backend: Backend | None = None) -> LeNet5:
        """Read a model file.

        Args:
            path: File written by `save`.
            backend: Where the arrays shall live; the CPU if None.

        Returns:
            The network with its trained parameters and its record.

        Raises:
            ModelFileError: Missing, damaged, of another version, or not a model file.
        """
        meta, arrays = model_file.read(path, "model")
        model = cls.from_architecture(meta.get("architecture"), backend, path)
        flat = np.empty(model.parameters.size, dtype=model.dtype)
        for name, view in model.views_of(flat).items():
            view[...] = model_file.take(path, arrays, name, view.shape, model.dtype)
        model.set_parameters(flat)
        model.record = dict(meta.get("record") or {})
        model.extras = {
            name: model_file.take(path, arrays, name, array.shape, str(array.dtype))
            for name, array in arrays.items()
            if name not in model.shapes
        }
        return model

    @classmethod
    def from_architecture(cls, architecture: Any, backend: Backend | None, path: object) -> LeNet5:
        """Build the network that a file's metadata describes; `path` is for the error message."""
        try:
            known = {key: architecture[key] for key in ("variant", "dtype", "background", "ink")}
            known["classes"] = architecture.get("classes", CLASSES)  # older files say nothing: the digits
            return cls(known.pop("variant"), backend, **known)
        except (TypeError, KeyError, ValueError, InputError) as error:
            raise ModelFileError(
                path,
                found=f"architecture {architecture!r} ({error})",
                expected="a network that this version knows",
                remedy="update lenet-gpu, or train the model again",
            ) from None
