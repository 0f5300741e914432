"""Make check_set.npz and its record from MNIST, and no_digits.npz: `python app/packaging/make_check_set.py`.

The same bytes each time. The digits are the first of each class from index 50,000 of the training set on; the
test set stays unseen. The drawings that are no digits are of the kinds that networks are taught.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lenet_gpu.nn.check_set import ANCHORS_EACH, CHECKS_EACH, FILE, NO_DIGITS, NO_DIGITS_FILE

FIRST = 50_000
"""Index in the training set from which they are taken."""


SEED = 20_266
"""Of the drawings that are no digits."""


def write(target: Path) -> None:
    """Write the file, and the record of where it comes from beside it."""
    from lenet_gpu.datasets import load_dataset

    data = load_dataset("mnist")
    labels = data.train.labels[FIRST:]
    found = [FIRST + np.flatnonzero(labels == digit)[: ANCHORS_EACH + CHECKS_EACH] for digit in range(10)]
    order = np.concatenate([f[:ANCHORS_EACH] for f in found] + [f[ANCHORS_EACH:] for f in found])
    images = data.train.images[order]
    with open(target, "wb") as file:
        np.savez_compressed(file, images=images)
    record = {
        "source": "MNIST training set, (c) Y. LeCun and C. Cortes, CC BY-SA 3.0",
        "indices": f"{FIRST} to {int(order.max())}: of each class the first {ANCHORS_EACH} to anchor, "
        f"the next {CHECKS_EACH} to check",
        "images": len(images),
        "sha256_of_pixels": hashlib.sha256(images.tobytes()).hexdigest(),
        "train_images_sha256": data.digests["train-images-idx3-ubyte"],
    }
    target.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write_no_digits(target: Path) -> None:
    """Write the drawings that are no digits."""
    from lenet_gpu.handwriting import draw_nondigits
    from lenet_gpu.ink.preprocess import drawings_to_mnist
    from lenet_gpu.seeds import generator

    drawings, _ = draw_nondigits(generator(SEED, 0), NO_DIGITS)
    with open(target, "wb") as file:
        np.savez_compressed(file, images=drawings_to_mnist(drawings))


if __name__ == "__main__":
    write(FILE)
    write_no_digits(NO_DIGITS_FILE)
