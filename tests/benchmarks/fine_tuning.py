"""What fine-tuning gains and spoils, and how few digits a training from scratch needs: docs/howto/fine_tuning.md.

    python tests/benchmarks/fine_tuning.py                       everything that --work does not hold yet; an hour
    python tests/benchmarks/fine_tuning.py --only scratch --seeds 3 4     a part, beside another process

Each part is measured with five seeds and kept in --work, one by one; whatever is there is put together:

- writers: ten NIST writers, drawn by lot among those with at least 120 digits in MNIST's training set, five employees
  and five pupils. Models are trained by the recipe `fast` on the training set without them, and fine-tuned on 100
  digits of each; measured are the writer's other digits and MNIST's test set.
- hands: ten synthetic hands, each with one template of lenet_gpu/handwriting a digit, one mixture of its poses, one
  slant, width and pen. The same models, which have seen no synthetic hand, are fine-tuned on 20 and on 200 digits of
  each; measured are 500 others. The shipped `touch` is, too: it has seen these templates, though not these hands.
- scratch: the first 5 to 200 digits a class of a shuffled MNIST training set, by the recipe `fast` as the command
  line fits it to so few, and by fine-tuning `touch` (which has learnt MNIST's whole training set before).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import fine_tuning_page  # noqa: E402
import numpy as np  # noqa: E402

from lenet_gpu import LeNet5, Recognizer, Trainer, fine_tune, load_dataset  # noqa: E402
from lenet_gpu.datasets import read_writers  # noqa: E402
from lenet_gpu.handwriting import KINDS, draw_nondigits  # noqa: E402
from lenet_gpu.handwriting.digits import STYLES  # noqa: E402
from lenet_gpu.handwriting.variation import write  # noqa: E402
from lenet_gpu.ink.preprocess import drawings_to_mnist  # noqa: E402
from lenet_gpu.nn import check_set  # noqa: E402
from lenet_gpu.nn.finetune import features, head_of  # noqa: E402
from lenet_gpu.training.few import for_few  # noqa: E402
from lenet_gpu.training.recipes import get_recipe  # noqa: E402

SEEDS = (0, 1, 2, 3, 4)
WRITERS, LEAST_DIGITS, TAUGHT = 10, 120, 100
HANDS, HAND_SIZES, HAND_OTHERS = 10, (20, 200), 500
SIZES = (5, 10, 20, 50, 200)
"""Digits of each class in the table of few digits."""

Pair = tuple[np.ndarray, np.ndarray]


def generator(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=list(key)))


def percent(model: LeNet5, images: np.ndarray, labels: np.ndarray) -> float:
    return round(100.0 * model.evaluate(images, labels).accuracy, 3)


def chosen_writers() -> list[int]:
    """Draw the writers that are left out of training, half of them of either series."""
    writers, rng, chosen = read_writers(), generator(20_261, 0), []
    for series in (0, 4):
        found, counts = np.unique(writers.train[writers.train_series == series], return_counts=True)
        chosen += sorted(rng.choice(found[counts >= LEAST_DIGITS], WRITERS // 2, replace=False).tolist())
    return chosen


def base(work: Path, seed: int, train, left_out: np.ndarray) -> LeNet5:
    """Train a model without the writers, or load it where that was done."""
    path = work / f"base{seed}.npz"
    if not path.exists():
        model = LeNet5(seed=seed)
        Trainer(model, "fast", progress=False, threads=2).fit(train.images[~left_out], train.labels[~left_out])
        model.save(path)
    return LeNet5.load(path)


def hand(number: int, n: int) -> Pair:
    """Write n digits, each as often, in one synthetic hand."""
    rng = generator(20_262, number)
    slant, aspect = rng.uniform(-0.15, 0.35), np.exp(rng.normal(0, 0.15))
    pen = rng.uniform(1.4, 3.2), rng.uniform(0.8, 1.6)
    labels, drawings = np.arange(n) % 10, [[] for _ in range(n)]
    own = {}
    for digit, templates in STYLES.items():
        template = templates[rng.integers(len(templates))]
        share = rng.dirichlet(np.ones(len(template.poses)))
        own[digit] = replace(template, poses=np.tensordot(share, template.poses, 1)[None])
    for digit, template in own.items():
        at = np.flatnonzero(labels == digit)
        for k, strokes in zip(at.tolist(), write(rng, template, len(at)), strict=True):
            drawings[k] = [np.stack([aspect * s[:, 0] - slant * s[:, 1], s[:, 1]], axis=1) for s in strokes]
    return drawings_to_mnist(drawings, np.tile(pen, (n, 1))), labels


def seen(model: LeNet5, images: np.ndarray, labels: np.ndarray) -> Pair:
    """Compute what F6 sees of images, which fine-tuning leaves as it is."""
    return features(model, images), labels


def share(model: LeNet5, values: np.ndarray, labels: np.ndarray) -> float:
    """Share of what `seen` returned that a model reads right, in %."""
    return round(100.0 * float((head_of(model).outputs(values).argmax(axis=1) == labels).mean()), 3)


def taught(model: LeNet5, own: Pair, other: Pair, test: Pair) -> dict:
    """Fine-tune, and measure other digits of the same hand and MNIST's test set (both as `seen` returned them)."""
    start, processor = time.perf_counter(), time.process_time()
    found = fine_tune(model, *own)
    return {
        "seconds": round(time.perf_counter() - start, 3),
        "processor_seconds": round(time.process_time() - processor, 3),
        "reason": found.reason,
        "own_before": round(100 * found.before, 3), "own_after": round(100 * found.after, 3),
        "others": len(other[1]),
        "others_before": share(model, *other), "others_after": share(found.model, *other),
        "mnist_before": share(model, *test), "mnist_after": share(found.model, *test),
    }  # fmt: skip


def writers(work: Path, seed: int, data) -> dict:
    """Fine-tune on 100 digits of each writer left out."""
    who, chosen = read_writers().train, chosen_writers()
    train = data.train
    model = base(work, seed, train, np.isin(who, chosen))
    test, rows = seen(model, data.test.images, data.test.labels), []
    for writer in chosen:
        order = generator(20_263, seed).permutation(np.flatnonzero(who == writer))
        own, other = ((train.images[k], train.labels[k]) for k in (order[:TAUGHT], order[TAUGHT:]))
        rows.append({"writer": writer, **taught(model, own, seen(model, *other), test)})
    return {"rows": rows}


def hands(work: Path, seed: int, data) -> dict:
    """Fine-tune on digits of each synthetic hand: a model that has seen none, and the shipped `touch` (seed 0)."""
    who, chosen = read_writers().train, chosen_writers()
    models = {"fast": base(work, seed, data.train, np.isin(who, chosen))}
    if seed == SEEDS[0]:
        models["touch"] = LeNet5.load("touch")
    report = {}
    for name, model in models.items():
        test = seen(model, data.test.images, data.test.labels)
        for size in HAND_SIZES:
            rows = []
            for number in range(HANDS):
                images, labels = hand(number, max(HAND_SIZES) + HAND_OTHERS)
                own = images[:size], labels[:size]
                other = images[max(HAND_SIZES) :], labels[max(HAND_SIZES) :]
                rows.append({"hand": number, **taught(model, own, seen(model, *other), test)})
            report[f"{name} {size}"] = rows
    return report


def refusals(work: Path, seed: int, data) -> dict:
    """Measure what `touch` refuses before and after it has learnt 200 digits of a hand: drawings and test digits."""
    model = LeNet5.load("touch")
    drawings, _ = draw_nondigits(generator(20_265, seed), 400, KINDS)
    nondigits = drawings_to_mnist(drawings)
    tuned = fine_tune(model, *hand(seed, 200)).model
    tuned.save(work / "tuned.npz")
    report = {}
    for name, recognizer in (("before", Recognizer("touch")), ("after", Recognizer(work / "tuned.npz"))):
        for what, images in (("nondigits", nondigits), ("digits", data.test.images[:1000])):
            refused = sum(not recognizer.read(image).is_digit for image in images)
            report[f"{what}_refused_{name}"] = round(100.0 * refused / len(images), 3)
    return report


def scratch(work: Path, seed: int, data) -> dict:
    """Learn 5 to 200 digits a class from scratch and from `touch`; each size is kept by itself."""
    train, test, report = data.train, (data.test.images, data.test.labels), {}
    order = generator(20_264, seed).permutation(len(train))
    for size in SIZES:
        path = work / f"scratch{seed}-{size}.json"
        if not path.exists():
            k = np.concatenate([order[train.labels[order] == digit][:size] for digit in range(10)])
            own = train.images[k], train.labels[k]
            model = LeNet5(seed=seed)
            Trainer(model, for_few(get_recipe("fast"), len(k)), progress=False, threads=1).fit(*own)
            tuned = fine_tune(LeNet5.load("touch"), *own).model
            path.write_text(json.dumps({"scratch": percent(model, *test), "touch": percent(tuned, *test)}) + "\n")
            print(path, path.read_text(), flush=True)
        report[str(size)] = json.loads(path.read_text())
    return report


PARTS = {"writers": writers, "hands": hands, "refusals": refusals, "scratch": scratch}


def collect(work: Path) -> dict:
    """Put together what all seeds have found so far."""
    report: dict = {"writers": chosen_writers()}
    train, bundled = load_dataset("mnist").train, {image.tobytes() for image in check_set.load().check_images}
    theirs = train.images[np.isin(read_writers().train, report["writers"])]
    report["check_digits_by_these_writers"] = sum(image.tobytes() in bundled for image in theirs)
    for part in ("writers", "hands", "refusals"):
        report["by_writer" if part == "writers" else part] = {
            str(seed): json.loads((work / f"{part}{seed}.json").read_text())
            for seed in SEEDS
            if (work / f"{part}{seed}.json").exists()
        }
    report["scratch"] = {
        str(seed): {
            str(size): json.loads((work / f"scratch{seed}-{size}.json").read_text())
            for size in SIZES
            if (work / f"scratch{seed}-{size}.json").exists()
        }
        for seed in SEEDS
    }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/fine_tuning"), help="where parts are kept")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    data = load_dataset("mnist")
    for part in options.only:
        for seed in options.seeds:
            path = options.work / f"{part}{seed}.json"
            if not path.exists():
                path.write_text(json.dumps(PARTS[part](options.work, seed, data), indent=1) + "\n")
                print(path, flush=True)
    fine_tuning_page.RESULTS.write_text(json.dumps(collect(options.work), indent=1) + "\n")
    fine_tuning_page.main()


if __name__ == "__main__":
    main()
