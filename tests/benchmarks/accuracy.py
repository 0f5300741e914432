"""What the models read, and what they refuse: every figure of docs/explain/accuracy.md.

    python tests/benchmarks/accuracy.py                            the shipped models
    python tests/benchmarks/accuracy.py --runs best=runs/a,runs/b  and the mean and spread of runs of several seeds

MNIST's test set, and the last third of the pendigits training digits (on which no model was trained; left
out where pendigits can't be had), are only measured here: nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

import numpy as np  # noqa: E402
from stylus import stylus_digits  # noqa: E402

from lenet_gpu import LeNet5, Recognizer, load_dataset, seeds  # noqa: E402
from lenet_gpu.backend.backend import select_backend  # noqa: E402
from lenet_gpu.engine.select import make_engine  # noqa: E402
from lenet_gpu.errors import DataError  # noqa: E402
from lenet_gpu.handwriting import HELD_OUT_KINDS, KINDS, ROTATED, draw_nondigits  # noqa: E402
from lenet_gpu.ink.preprocess import drawings_to_mnist, image_to_mnist  # noqa: E402
from lenet_gpu.nn.losses import softmax  # noqa: E402
from lenet_gpu.nn.optim import SGD  # noqa: E402
from lenet_gpu.recognition.ensemble import combined_outputs, views  # noqa: E402
from lenet_gpu.storage.shipped_models import model_path  # noqa: E402
from lenet_gpu.training.sources import noises, overlaps  # noqa: E402

SEED = 20_260
"""All chance in here comes from it; no training uses it."""

OFF_CENTER_DIGITS = 1000
NONDIGITS = 1000
NUMBERS = 300
SCALES = (0.3, 0.5, 1.0, 2.0, 3.0)
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral", "cmr10", "cmss10")
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYadefhkmnprtuvwxy"
"""Letters that no one takes for a digit in print: without O, I, S, Z, o, l, i, s, z, b, q, g, c, j."""


def outputs(model: LeNet5, images: np.ndarray) -> np.ndarray:
    with make_engine(model, SGD()) as engine:
        return engine.outputs(np.ascontiguousarray(images))


def load(model: str) -> LeNet5:
    return LeNet5.load(model_path(model), select_backend("cpu"))


def accuracy(out: np.ndarray, labels: np.ndarray) -> float:
    return 100.0 * float((out.argmax(axis=1) == labels).mean())


def mnist(models: dict[str, list[str]], test) -> dict:
    """Accuracy of each seed, with nine views, and of all seeds of a recipe together."""
    report = {}
    for name, paths in models.items():
        networks = [load(path) for path in paths]
        plain = [outputs(network, test.images) for network in networks]
        tta = [combined_outputs([outputs(network, view) for view in views(test.images)]) for network in networks]
        report[name] = {
            "accuracy": [accuracy(out, test.labels) for out in plain],
            "tta": [accuracy(out, test.labels) for out in tta],
            "calibration_error": [
                calibration_error(probabilities(n, o), test.labels) for n, o in zip(networks, plain, strict=True)
            ],
        }
        if len(networks) > 1:
            report[name]["ensemble"] = accuracy(combined_outputs(plain), test.labels)
    return report


def probabilities(network: LeNet5, out: np.ndarray) -> np.ndarray:
    temperature = network.extras.get("calibration.temperature", np.ones(1))[0]
    return softmax(np, out / temperature)


def calibration_error(p: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: how far confidence and share of right answers are apart, in points."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return 100.0 * float(
        sum(abs(right[place == b].mean() - confidence[place == b].mean()) * (place == b).mean() for b in set(place))
    )


def pendigits(models: dict[str, list[str]]) -> dict | None:
    """Stylus digits that no model was trained on."""
    held = held_out_pendigits()
    if held is None:
        return None
    images, labels = drawings_to_mnist(held[0]), held[1]
    return {
        "digits": len(labels),
        **{name: [accuracy(outputs(load(path), images), labels) for path in paths] for name, paths in models.items()},
    }


def held_out_pendigits():
    """The digits of the last third; None where there are none here."""
    try:
        return stylus_digits(last=True)
    except DataError:
        return None


def off_centre(recognizer: Recognizer, test) -> dict:
    """Test digits pasted anywhere on a canvas, at any size, in either polarity; points lost against the centre."""
    from PIL import Image

    rng = seeds.generator(SEED, 1)
    images, labels = test.images[:OFF_CENTER_DIGITS], test.labels[:OFF_CENTER_DIGITS]
    network = recognizer.network
    centred = accuracy(outputs(network, images), labels)
    report = {"digits": len(labels), "centred": centred, "rows": []}
    for side in (64, 280):
        for scale in SCALES:
            size = max(1, round(28 * scale))
            if size > side:
                continue
            fields = []
            for k, image in enumerate(images):
                small = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
                canvas = np.zeros((side, side), np.uint8)
                y, x = rng.integers(0, side - size + 1, 2)
                canvas[y : y + size, x : x + size] = small
                fields.append(image_to_mnist(255 - canvas if k % 2 else canvas))
            report["rows"].append(
                {"canvas": side, "scale": scale, "accuracy": accuracy(outputs(network, np.stack(fields)), labels)}
            )
    return report


def area_under_roc(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Chance in % that one of the positives scores higher than one of the negatives."""
    both = np.concatenate([negatives, positives])
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ties share their mean rank
    p, n = len(positives), len(negatives)
    return 100.0 * float((ranks[n:].sum() - p * (p + 1) / 2) / (n * p))


def nondigits(recognizer: Recognizer, test) -> dict:
    """How well digits and other drawings are told apart by the confidence, and what is refused."""
    rng = seeds.generator(SEED, 2)
    kinds = {
        "letters, by hand": [k for k in KINDS if k.startswith("letter")],
        "signs": [k for k in KINDS if k.startswith("sign")],
        "scribbles": [k for k in KINDS if k.startswith("scribble")],
        "two digits overlapping, by hand": ["two digits overlapping"],
        "two digits side by side": ["two digits side by side"],
        "digits on their side, by hand": ["digit rotated"],
        "fragments of digits": ["fragment"],
    }
    groups = {name: drawings_to_mnist(draw_nondigits(rng, NONDIGITS, wanted)[0]) for name, wanted in kinds.items()}
    groups["letters in print"] = printed_letters()
    groups["two MNIST test digits overlapping"] = overlaps(test, rng, NONDIGITS)
    turned = test.images[np.isin(test.labels, ROTATED)][:NONDIGITS]
    groups["MNIST test digits on their side"] = np.ascontiguousarray(np.rot90(turned, -1, (1, 2)))
    groups["noise"] = noises(rng, NONDIGITS)
    score, refused = judged(recognizer, test.images)
    report = {
        "digits": {"MNIST test set": refused},
        "rows": [],
        "held_out_kinds": len(HELD_OUT_KINDS),
    }
    held = held_out_pendigits()
    if held is not None:
        report["digits"]["pendigits, last third"] = judged(recognizer, drawings_to_mnist(held[0]))[1]
    for name, images in groups.items():
        other, rate = judged(recognizer, images)
        report["rows"].append(
            {"what": name, "n": len(images), "auroc": area_under_roc(score, other), "refused": rate}
        )
    return report


def judged(recognizer: Recognizer, images: np.ndarray) -> tuple[np.ndarray, float]:
    """How little each image looks like a digit, and the share that is refused, in %."""
    scores, refused = np.empty(len(images)), 0
    for k, image in enumerate(images):
        answer = recognizer.read(image)
        scores[k] = -answer.confidence
        refused += not answer.is_digit
    return scores, 100.0 * refused / len(images)


def printed_letters() -> np.ndarray:
    """Letters in several typefaces, through the same preprocessing as any picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    images = []
    for font in FONTS:
        for letter in LETTERS:
            figure = Figure(figsize=(1, 1), dpi=80)
            canvas = FigureCanvasAgg(figure)
            figure.text(0.5, 0.5, letter, family=font, size=44, ha="center", va="center")
            canvas.draw()
            images.append(image_to_mnist(np.asarray(canvas.buffer_rgba())[..., 0]))
    return np.stack(images)


def numbers(recognizer: Recognizer) -> dict | None:
    """Numbers of 2 to 6 digits, put together from strokes that no model was trained on."""
    held = held_out_pendigits()
    if held is None:
        return None
    drawings, labels = held
    rng = seeds.generator(SEED, 3)
    report = {"numbers": NUMBERS, "rows": []}
    for name, (low, high) in {
        "touching": (-0.05, 0.0),
        "tight": (0.03, 0.12),
        "normal": (0.15, 0.4),
        "wide": (0.5, 1.0),
    }.items():
        right = 0
        for _ in range(NUMBERS):
            chosen = rng.integers(len(labels), size=rng.integers(2, 7))
            strokes, edge = [], 0.0
            for k in chosen:
                digit = strokes_of(drawings, k)
                points = np.concatenate(digit)
                top, height = points[:, 1].min(), max(np.ptp(points[:, 1]), np.ptp(points[:, 0]) / 2, 1e-6)
                placed = [(s - [points[:, 0].min(), top]) / height for s in digit]
                size, drop = rng.uniform(0.85, 1.15), rng.uniform(-0.06, 0.06)
                strokes += [s * size + [edge, drop] for s in placed]
                edge = max(float(s[:, 0].max()) for s in strokes) + rng.uniform(low, high)
            right += recognizer.predict_number(strokes).text == "".join(str(labels[k]) for k in chosen)
        report["rows"].append({"gaps": name, "of_height": [low, high], "right": 100.0 * right / NUMBERS})
    return report


def strokes_of(drawings, k: int) -> list[np.ndarray]:
    return [
        drawings.points[drawings.strokes[s] : drawings.strokes[s + 1]]
        for s in range(drawings.digits[k], drawings.digits[k + 1])
    ]


def curves(models: dict[str, list[str]]) -> dict:
    """Test accuracy against epochs and training seconds of the first run of each recipe that has a log."""
    report = {}
    for name, paths in models.items():
        log = Path(paths[0]) / "log.jsonl"
        if log.exists():
            history = [json.loads(line) for line in log.read_text().splitlines()]
            seconds = np.cumsum([record["seconds"] for record in history])
            report[name] = [
                {"seconds": round(float(s), 1), "accuracy": 100.0 * record["test_accuracy"]}
                for s, record in zip(seconds, history, strict=True)
            ]
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", default=[], metavar="NAME=RUN,RUN", help="runs of several seeds")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "accuracy.json")
    options = parser.parse_args()
    models = {"shipped mnist": ["mnist"], "shipped touch": ["touch"]}
    for text in options.runs:
        name, _, paths = text.partition("=")
        models[name] = paths.split(",")
    test = load_dataset("mnist").test
    touch = Recognizer("touch")
    report = {}
    for name, measure in (
        ("mnist", lambda: mnist(models, test)),
        ("pendigits", lambda: pendigits(models)),
        ("off_centre", lambda: {m: off_centre(Recognizer(m), test) for m in ("mnist", "touch")}),
        ("nondigits", lambda: {m: nondigits(Recognizer(m), test) for m in ("mnist", "touch")}),
        ("numbers", lambda: numbers(touch)),
        ("curves", lambda: curves(models)),
    ):
        report[name] = measure()
        print(name, json.dumps(report[name], indent=1), flush=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
