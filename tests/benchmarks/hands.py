"""How well hands, pens and letters are read that a network has not learnt from: the measure of styles.

    python tests/benchmarks/hands.py train runs/hands             `touch` without people's strokes
    python tests/benchmarks/hands.py measure runs/hands           on the first two thirds of pendigits
    python tests/benchmarks/hands.py measure --last runs/hands    on the last third: once, when all is chosen
    python tests/benchmarks/hands.py letters touch                which letters pass, by shape

`train` learns from five sixths of MNIST's writers, and leaves out pendigits and `HELD_OUT_KINDS`, so that their
strokes and shapes are new to the network; the letters of `HELD_OUT_LETTERS` are new to every network. Pictures are
drawn six times as large, with a pen that is as wide as the table says once they are reduced to a digit of 20 pixels.
The limit of confidence at which 1 % of the digits of the writers held out are refused decides how many letters are;
for `letters`, 1 % of MNIST's test digits.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from unittest import mock

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

import numpy as np  # noqa: E402
from accuracy import accuracy, area_under_roc, load, outputs, probabilities  # noqa: E402
from stylus import stylus_digits  # noqa: E402

from lenet_gpu import LeNet5, Trainer, load_dataset, seeds  # noqa: E402
from lenet_gpu.datasets import hold_out_mnist_writers  # noqa: E402
from lenet_gpu.handwriting import HELD_OUT_KINDS, KINDS, draw_nondigits  # noqa: E402
from lenet_gpu.handwriting.nondigits import HELD_OUT_LETTERS  # noqa: E402
from lenet_gpu.handwriting.variation import chosen_templates, draw_templates  # noqa: E402
from lenet_gpu.ink.preprocess import BOX, drawings_to_mnist, ink_to_mnist  # noqa: E402
from lenet_gpu.ink.raster import Pen, draw  # noqa: E402
from lenet_gpu.training import sources  # noqa: E402
from lenet_gpu.training.callbacks import RunFolder  # noqa: E402
from lenet_gpu.training.recipes import RECIPES  # noqa: E402

SEED = 77
"""All chance in here comes from it; no training uses it."""

PENS = (0.5, 1.0, 1.5, 2.3, 3.0, 4.0)
"""Widths in pixels where a digit is 20 high."""

ENLARGED = 6
"""Times by which pictures are larger before they are reduced."""

LETTERS, OTHERS = 3000, 2000
REFUSED = 0.01
"""Share of the digits that is refused where letters are counted."""


def train(folder: Path, epochs: int, threads: int, seed: int) -> None:
    """Train `touch` without pendigits and without the kinds of non-digits that are held out."""
    recipe = RECIPES["touch"]
    sources_alone = ("handwriting", "nondigits")
    recipe = recipe.with_changes(sources=sources_alone, epochs=epochs, calm_epochs=max(1, epochs // 3))
    data = hold_out_mnist_writers(load_dataset("mnist"))
    kinds = tuple(kind for kind in KINDS if kind not in HELD_OUT_KINDS)
    with mock.patch.object(sources, "KINDS", kinds):
        Trainer(LeNet5(seed=seed), recipe, threads=threads, callbacks=[RunFolder(folder)]).fit(data)


def pictures(drawings, pen: float) -> np.ndarray:
    """Draw digits large with a pen as wide as asked for once they are 20 pixels high, then reduce them."""
    side = ENLARGED * BOX
    large = draw(drawings, np.tile([[ENLARGED * pen, 1.1]], (len(drawings), 1)), side, side)
    return np.stack([ink_to_mnist(image) for image in large])


def measure(network: LeNet5, last: bool) -> dict:
    """Measure one network."""
    drawings, labels = stylus_digits(last=last)
    few = np.arange(0, len(labels), 4)
    held = hold_out_mnist_writers(load_dataset("mnist")).validation
    rng = seeds.generator(SEED, 1)
    letters = drawings_to_mnist(draw_templates(rng, LETTERS, HELD_OUT_LETTERS))
    others = drawings_to_mnist(draw_nondigits(rng, OTHERS, HELD_OUT_KINDS)[0])

    def confidence(images):
        return probabilities(network, outputs(network, images)).max(axis=1)

    own = drawings_to_mnist(drawings)
    read = outputs(network, own).argmax(axis=1)
    digits, no_digits = confidence(held.images), confidence(letters)
    limit = np.quantile(digits, REFUSED)
    kinds = confidence(others)
    return {
        "strokes": accuracy(outputs(network, own), labels),
        "by digit": [100.0 * float((read[labels == d] == d).mean()) for d in range(10)],
        "strokes, by pen": {p: accuracy(outputs(network, drawings_to_mnist(drawings, Pen(p))), labels) for p in PENS},
        "pictures, by pen": {
            p: accuracy(outputs(network, pictures(drawings.take(few), p)), labels[few]) for p in PENS
        },
        "MNIST, writers held out": accuracy(outputs(network, held.images), held.labels),
        "letters of shapes not learnt, refused": 100.0 * float((no_digits < limit).mean()),
        "letters of shapes not learnt, AUROC": area_under_roc(-digits, -no_digits),
        "kinds held out, refused": 100.0 * float((kinds < limit).mean()),
        "kinds held out, AUROC": area_under_roc(-digits, -kinds),
    }


def letters_by_shape(network: LeNet5) -> dict:
    """Count the letters of each shape not learnt that pass where 1 % of MNIST's test digits are refused."""
    test, passed = load_dataset("mnist").test, {}
    limit = np.quantile(probabilities(network, outputs(network, test.images)).max(axis=1), REFUSED)
    drawings, shapes = drawn_letters()
    out = outputs(network, drawings_to_mnist(drawings))
    passes, read = probabilities(network, out).max(axis=1) >= limit, out.argmax(axis=1)
    for k, template in enumerate(HELD_OUT_LETTERS):
        mine = shapes == k
        as_digits = np.bincount(read[mine & passes], minlength=10).tolist()
        passed[template.name] = {"drawn": int(mine.sum()), "passed": int((mine & passes).sum()), "read as": as_digits}
    return {"limit": float(limit), "drawn": len(drawings), "passed": int(passes.sum()), "by shape": passed}


def drawn_letters():
    """Draw the letters, and say the shape of each, (n,) indices into `HELD_OUT_LETTERS`."""
    shapes = chosen_templates(seeds.generator(SEED, 1), LETTERS, HELD_OUT_LETTERS)
    return draw_templates(seeds.generator(SEED, 1), LETTERS, HELD_OUT_LETTERS), shapes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "measure", "letters"))
    parser.add_argument("models", nargs="+", help="folders of runs, model files, or names of shipped models")
    parser.add_argument("--last", action="store_true", help="measure on the last third of pendigits")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for model in options.models:
        if options.what == "train":
            train(Path(model), options.epochs, options.threads, options.seed)
        elif options.what == "letters":
            print(json.dumps({"model": model, **letters_by_shape(load(model))}, indent=1), flush=True)
        else:
            print(json.dumps({"model": model, **measure(load(model), options.last)}, indent=1), flush=True)


if __name__ == "__main__":
    main()
