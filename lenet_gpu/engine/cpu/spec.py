"""The facts that the CPU engine's arrays and calls are made from, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.engine.cover import first_difference, variant_of
from lenet_gpu.engine.cpu.ops import Products
from lenet_gpu.engine.cpu.squash import ByDoubling, ByDoublingClipped, ByExp, ByTanh, Squash
from lenet_gpu.errors import InputError
from lenet_gpu.nn.layer import named_views
from lenet_gpu.nn.lenet5 import VARIANTS
from lenet_gpu.paper import IMAGE_SIZE, INPUT_SIZE

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network

PIXELS = IMAGE_SIZE * IMAGE_SIZE
GRID = INPUT_SIZE * INPUT_SIZE

DENSE_CHUNKS = 4
"""Chunks of images that go through the fully connected layers together where nothing is trained, if not told
otherwise."""


@dataclass(frozen=True)
class NetworkSpec:
    """The facts about a network that the engine needs besides its parameters.

    Worker processes never see the network itself: they get this as JSON.

    Attributes:
        shapes: Shape of each parameter by name, in the order of the flat buffer.
        dtype: "float32", or "float64" for tests.
        background: Input value of an empty pixel.
        ink: Input value of a full pixel.
        output: What follows F6: "softmax", a linear layer with one; or "rbf", the paper's codes.
        loss: Name of the loss, one of `losses.LOSSES`.
        classes: Number of classes.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtype: str
    background: float
    ink: float
    output: str
    loss: str
    classes: int

    @classmethod
    def of(cls, network: Network, *, training: bool = True) -> NetworkSpec:
        """Take the facts from a network.

        Args:
            network: The network.
            training: Whether it is to be trained; else its loss does not matter.

        Raises:
            InputError: It is not the LeNet-5 that the engine knows, or not on the CPU.
        """
        backend = network.backend.name
        reason = f"the {backend} backend" if backend != "cpu" else first_difference(network, training=training)
        if reason is not None:
            raise InputError("engine cpu_plan", found=reason, remedy="take the engine auto or layered")
        return cls(
            shapes={name: tuple(shape) for name, shape in network.shapes.items()},
            dtype=str(network.dtype),
            background=network.background,
            ink=network.ink,
            output="rbf" if variant_of(network) == "paper" else "softmax",
            loss=network.loss if training else VARIANTS[variant_of(network)].losses[0],
            classes=network.classes,
        )

    def to_json(self) -> dict[str, Any]:
        """Give the facts as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NetworkSpec:
        """Take the facts from plain data; the inverse of `to_json`."""
        return cls(**{**data, "shapes": {name: tuple(shape) for name, shape in data["shapes"].items()}})

    def views(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Name the parameters in a flat buffer laid out like theirs; views of it."""
        return named_views(flat, self.shapes)


def check_pixels(images: np.ndarray) -> None:
    """Refuse images that the engine would have to turn into bytes.

    Raises:
        InputError: They are not uint8.
    """
    if images.dtype != np.uint8:
        raise InputError(
            "images", found=f"dtype {images.dtype}", expected="uint8, 0 to 255", remedy="round 255 times the pixels"
        )


def training_rows(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give a training set the form that plans gather from.

    Args:
        images: (n, 28, 28) or (n, 784).
        labels: (n,) integers.

    Returns:
        The images (n, 784) uint8 and the labels (n,) intp, copied only where they have another form.

    Raises:
        InputError: The images are not uint8.
    """
    check_pixels(images)
    return np.ascontiguousarray(images).reshape(len(images), PIXELS), np.asarray(labels).astype(np.intp)


def mean_losses(losses: np.ndarray, sizes: np.ndarray, done: int) -> np.ndarray:
    """Compute the mean losses of the first steps.

    Args:
        losses: Summed loss of each portion, (portions, steps) float64.
        sizes: Images of each step's batch, (steps,).
        done: Number of steps.

    Returns:
        (done,) float32.
    """
    return np.asarray((losses[:, :done].sum(axis=0) / sizes[:done]).astype(np.float32))


@dataclass(frozen=True)
class PlanSpec:
    """The facts that one plan is made from.

    Attributes:
        network: The network.
        capacity: Largest number of images computed at once.
        images: Their form: "uint8", 28x28 from 0 to 255; "float", 28x28 from 0 to 1; or "grid", whole input layers
            of 32x32, float32 from 0 to 255, margin included.
        training: True if the backward pass is needed too.
        wide: True if NumPy computes with vectors of 16 numbers; see `squash.has_wide_vectors`.
        near: Those of "c1", "s2", "c3" and "s4" whose sums can't lie too far from 0 for `ByDoubling`; see reach.py.
        single: True for the path of a single image, which has too few numbers for many calls; see single.py.
        dense_chunks: Chunks that go through the fully connected layers together. With one, whole chunks give the
            same bits however many there are.
    """

    network: NetworkSpec
    capacity: int
    images: str
    training: bool
    wide: bool
    near: frozenset[str] = frozenset()
    single: bool = False
    dense_chunks: int = DENSE_CHUNKS

    @property
    def dtype(self) -> np.dtype:
        """The dtype that is computed with."""
        return np.dtype(self.network.dtype)

    @property
    def together(self) -> int:
        """Largest number of images that C5 and what follows compute at once: their products like many columns."""
        return self.capacity if self.training else self.dense_chunks * self.capacity

    @property
    def grid(self) -> bool:
        """True if images come as whole grids of 32x32."""
        return self.images == "grid"

    @property
    def pixel_dtype(self) -> np.dtype:
        """The dtype of the images."""
        kinds: dict[str, np.dtype] = {"uint8": np.dtype(np.uint8), "grid": np.dtype(np.float32), "float": self.dtype}
        return kinds[self.images]

    @property
    def pixel_scale(self) -> float:
        """Input value of one step of a pixel."""
        return (self.network.ink - self.network.background) / (1.0 if self.images == "float" else 255.0)

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return GRID if self.grid else PIXELS

    def squash(self, layer: str) -> Squash:
        """Give the way in which a layer's squashing is computed."""
        if self.wide:
            return ByTanh()
        if layer in self.near:
            return ByDoubling()
        return ByExp() if self.single or self.dtype != np.float32 else ByDoublingClipped()

    @property
    def squash_dense(self) -> Squash:
        """The way in which C5's and F6's squashing is computed, on few values an image."""
        quick = not (self.wide or self.training) and self.dtype == np.float32
        return ByDoublingClipped() if quick else ByTanh()

    @property
    def products(self) -> Products:
        """The way large products are cut."""
        return Products(cut=self.wide)
