"""Augmentation parameters: distortions and stroke widths, as data and as random draws.

Which image is distorted how is drawn on the host for a whole epoch (the same on every backend); how a distortion
is carried out is the business of `lenet_gpu.augment.distort` and of the engines.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.augment.distort import FIELDS, IDENTITY, PARAMETERS, distort_reference, elastic_fields
from lenet_gpu.augment.stroke_width import stroke_width_variants
from lenet_gpu.errors import InputError
from lenet_gpu.paper import INPUT_SIZE

DRAWN_AT_ONCE = 8192
"""Images whose distortions are worked out together: all that they take fits into a processor's cache."""


@dataclass(frozen=True)
class Augmentation:
    """Amounts by which training images are varied; draws are uniform between an amount's negative and it.

    A point p of the image, seen from the centre, goes to R(rotation) H(shear) S(scale, zoom, squeeze) p + shift.

    Attributes:
        rotation: Degrees.
        scale: Each axis is scaled by 1 - scale ... 1 + scale, independently of the other.
        zoom: Both axes are scaled alike by 1 - zoom ... 1 + zoom.
        squeeze: One axis is multiplied by 1 - squeeze ... 1 + squeeze, the other one divided by it.
        shear: Pixels to the right for each pixel up.
        shift: Pixels to the right, and pixels down.
        elastic: Root mean square displacement in pixels of an elastic field; drawn from 0. What Simard, Steinkraus
            and Platt 2003 call alpha = 34 at sigma = 4 is 1.38 pixels.
        strength: Multiplies all of the above.
        stroke_widths: By how many pixels either side of a stroke moves outwards (negative: inwards), -1 ... 1, one
            variant of the training set each, which an image is taken from with equal chances. 0: as it is.
    """

    rotation: float = 12.0
    scale: float = 0.12
    zoom: float = 0.0
    squeeze: float = 0.0
    shear: float = 0.2
    shift: float = 2.0
    elastic: float = 1.38
    strength: float = 1.0
    stroke_widths: tuple[float, ...] = (0.0,)

    @property
    def distorts(self) -> bool:
        """True if any image is distorted: if not, an engine needs no distortions."""
        amounts = (self.rotation, self.scale, self.zoom, self.squeeze, self.shear, self.shift, self.elastic)
        return self.strength * max(amounts) > 0

    def draw(self, seed: int, epoch: int, n: int) -> np.ndarray:
        """Draw the distortions of an epoch.

        Args:
            seed: The run's seed.
            epoch: Number of the epoch, counted from 1.
            n: Images of the epoch.

        Returns:
            (n, 8) float32, laid out as distort.py describes. Draws do not depend on the amounts: half the strength
            turns an image half as far, in the same direction.
        """
        numbers = seeds.uniform(seed, epoch, seeds.DISTORTIONS, 10 * n).reshape(10, n)
        parameters = np.empty((n, PARAMETERS), dtype=np.float32)
        for start in range(0, n, DRAWN_AT_ONCE):
            part = slice(start, start + DRAWN_AT_ONCE)
            self._place(numbers[:, part], parameters[part])
        return parameters

    def _place(self, numbers: np.ndarray, parameters: np.ndarray) -> None:
        """Write the parameters of some images, (m, 8) float32, for (10, m) numbers from 0 to below 1."""
        numbers[:8] *= 2 * self.strength
        numbers[:8] -= self.strength
        turn, wide, high, zoom, squeeze, shear, right, down, number, amplitude = numbers
        angle = np.deg2rad(self.rotation * turn)
        common, ratio = 1 + self.zoom * zoom, 1 + self.squeeze * squeeze
        scale_x, scale_y = (1 + self.scale * wide) * common * ratio, (1 + self.scale * high) * common / ratio
        lean = -self.shear * shear  # y points down: leaning right is to the right for smaller y
        # The inverse of R H S, for the map leads from the output to the input: S^-1 H^-1 R^-1.
        cosine, sine = np.cos(angle), np.sin(angle)
        a, b = (cosine + lean * sine) / scale_x, (sine - lean * cosine) / scale_x
        c, d = -sine / scale_y, cosine / scale_y
        right, down = self.shift * right, self.shift * down
        parameters[:, 0], parameters[:, 1], parameters[:, 2] = a, b, -(a * right + b * down)
        parameters[:, 3], parameters[:, 4], parameters[:, 5] = c, d, -(c * right + d * down)
        parameters[:, 6] = np.floor(number * FIELDS)
        parameters[:, 7] = self.strength * self.elastic * amplitude

    def draw_variants(self, seed: int, epoch: int, n: int) -> np.ndarray:
        """Draw the variant of the training set that each image of an epoch is taken from.

        Args:
            seed: The run's seed.
            epoch: Number of the epoch, counted from 1.
            n: Images of the epoch.

        Returns:
            (n,) int64, indices into `stroke_widths`; see `lenet_gpu.augment.stroke_width`.
        """
        return seeds.generator(seed, epoch, seeds.STROKE_WIDTHS).integers(len(self.stroke_widths), size=n)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for files."""
        return asdict(self)

    def validated(self) -> Augmentation:
        """Check the values.

        Returns:
            The augmentation itself.

        Raises:
            InputError: A value that makes no sense.
        """
        for name in ("rotation", "scale", "zoom", "squeeze", "shear", "shift", "elastic", "strength"):
            value = getattr(self, name)
            # Scaling by 0 or less would turn the image inside out.
            below = 1.0 / max(self.strength, 1.0) if name in ("scale", "zoom", "squeeze") else float("inf")
            if isinstance(value, bool) or not isinstance(value, float | int) or not 0 <= value < below:
                raise InputError(
                    f"augmentation, {name}",
                    found=repr(value),
                    expected="a number from 0" + (f", below {below:.3g}" if below < float("inf") else ""),
                )
        widths = self.stroke_widths
        if not isinstance(widths, tuple) or not widths or not all(map(_is_stroke_width, widths)):
            raise InputError(
                "augmentation, stroke widths", found=repr(widths), expected="one or more numbers from -1 to 1"
            )
        return self


def _is_stroke_width(value: object) -> bool:
    return isinstance(value, float | int) and -1 <= value <= 1


STANDARD = Augmentation()
"""Distortions for handwritten digits, at full strength."""

PAPER = Augmentation(rotation=0.0, scale=0.0, zoom=0.1, squeeze=0.1, shear=0.2, shift=2.0, elastic=0.0)
"""The paper's kinds: "horizontal and vertical translations, scaling, squeezing (simultaneous horizontal compression
and vertical elongation, or the reverse), and horizontal shearing" (section III.C). It gives no amounts."""


def from_dict(values: dict[str, Any]) -> Augmentation:
    """Make an augmentation of what a file holds; the inverse of `Augmentation.as_dict`.

    Args:
        values: The fields.

    Returns:
        The augmentation, its values checked.

    Raises:
        InputError: Missing or unknown fields, or a value that makes no sense.
    """
    names = {field.name for field in fields(Augmentation)}
    if not isinstance(values, dict) or set(values) != names:
        raise InputError("augmentation", found=repr(values), expected=f"the fields {', '.join(sorted(names))}")
    widths = values["stroke_widths"]
    return Augmentation(
        **{**values, "stroke_widths": tuple(widths) if isinstance(widths, list) else widths}
    ).validated()


def varied_samples(images: np.ndarray, augmentation: Augmentation, count: int, seed: int = 0) -> np.ndarray:
    """Show images beside their augmented variants.

    Args:
        images: (n, 28, 28) uint8.
        augmentation: The amounts by which they are varied.
        count: Samples of each image, the first one as it is.
        seed: Seed of the variations.

    Returns:
        (n, count, 32, 32) float32, 0 ... 255.
    """
    n = len(images)
    variants = stroke_width_variants(images, augmentation.stroke_widths)  # (V, n, 28, 28)
    which = augmentation.draw_variants(seed, 1, n * count).reshape(n, count)
    picked = variants[which, np.arange(n)[:, None]]  # (n, count, 28, 28)
    parameters = augmentation.draw(seed, 1, n * count).reshape(n, count, PARAMETERS)
    picked[:, 0], parameters[:, 0] = images, IDENTITY
    out = distort_reference(
        np, picked.reshape(n * count, -1), parameters.reshape(-1, PARAMETERS), elastic_fields()
    )  # (n * count, 32, 32)
    return out.reshape(n, count, INPUT_SIZE, INPUT_SIZE)
