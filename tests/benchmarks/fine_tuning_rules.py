"""What rules for fine-tuning would have taken: the second part of docs/howto/fine_tuning.md.

    python tests/benchmarks/fine_tuning_rules.py --seeds 0 1      trains two models

Each model is trained by the recipe `fast` on five sixths of MNIST's writers and fine-tuned on 20 and on 200 digits of
ten synthetic hands, others than those of fine_tuning.py. Of all results of every fine-tuning this keeps how many
digits are read right: those taught, where they are and in five places, 500 others of the hand, those of the writers
held out, and the 1,000 check digits in each of nine places. No test set is read.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import fine_tuning
import fine_tuning_page
import numpy as np
from pool import machine_facts

from lenet_gpu import LeNet5, Trainer, load_dataset
from lenet_gpu.datasets.writers import hold_out_mnist_writers
from lenet_gpu.nn import check_set, finetune

FIRST_HAND = 100
PLACES = (*check_set.PLACES, (-1, -1), (-1, 1), (1, -1), (1, 1))
"""Where a check digit is read: as it is, moved by a pixel to each side, and to each corner."""


def base(work: Path, seed: int, train) -> LeNet5:
    """Train a model without a sixth of MNIST's writers, or load it where that was done."""
    path = work / f"five_sixths{seed}.npz"
    if not path.exists():
        model = LeNet5(seed=seed)
        Trainer(model, "fast", progress=False, threads=2).fit(train.images, train.labels)
        model.save(path)
    return LeNet5.load(path)


def moved(images: np.ndarray) -> list[np.ndarray]:
    """Images in each of `PLACES`; what enters the field is background."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    return [padded[:, 1 - y : 29 - y, 1 - x : 29 - x] for y, x in PLACES]


def results(model: LeNet5, held) -> list[dict]:
    """Fine-tune on digits of each hand and count what the model as it was, then all results read right."""
    _, _, checks, labels = check_set.load()
    anchors, places = (
        finetune.bundled_features(model).anchors,
        [finetune.features(model, each) for each in moved(checks)],
    )
    writers = finetune.features(model, held.images)
    start = finetune.head_of(model)
    found = []
    for number in range(FIRST_HAND, FIRST_HAND + fine_tuning.HANDS):
        images, truth = fine_tuning.hand(number, max(fine_tuning.HAND_SIZES) + fine_tuning.HAND_OTHERS)
        seen = finetune.features(model, images)
        others = slice(max(fine_tuning.HAND_SIZES), None)
        for size in fine_tuning.HAND_SIZES:
            own = finetune.features(model, check_set.in_places(images[:size]))
            taught = np.tile(truth[:size], len(check_set.PLACES))
            targets = finetune.TARGETS[taught]
            tried = [start, *finetune._candidates(start, anchors, own, targets, len(check_set.PLACES))]

            def right(x: np.ndarray, labels: np.ndarray, tried: list = tried) -> list[int]:
                return [int((head.outputs(x).argmax(axis=1) == labels).sum()) for head in tried]

            counts = {"own": right(seen[:size], truth[:size]), "moved": right(own, taught)}
            counts["others"] = right(seen[others], truth[others])
            counts |= {"writers": right(writers, held.labels), "checks": [right(x, labels) for x in places]}
            found.append({"hand": number, "size": size, **counts})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/fine_tuning"), help="where trained models are kept")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    split = hold_out_mnist_writers(load_dataset("mnist"))
    report = {"machine": machine_facts(), "writers_digits": len(split.validation.images), "models": {}}
    for seed in options.seeds:
        report["models"][str(seed)] = results(base(options.work, seed, split.train), split.validation)
        print(f"seed {seed}: {len(report['models'][str(seed)])} fine-tunings", flush=True)
    fine_tuning_page.RULES.write_text(json.dumps(report) + "\n")
    fine_tuning_page.main()


if __name__ == "__main__":
    main()
