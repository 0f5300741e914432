"""``lenet-gpu evaluate``: how well a model reads a data set."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import (
    add_backend_option,
    add_command,
    add_data_options,
    add_picture_options,
    check_picture,
)
from lenet_gpu.errors import InputError

EXAMPLES = """\
  lenet-gpu evaluate runs/one                     the run's model on the MNIST test set, with a picture
  lenet-gpu evaluate mnist --json                 the shipped model, for a script
  lenet-gpu evaluate model.npz --split train --dataset digits.csv
  lenet-gpu evaluate mnist --tta                  nine views of each image, a pixel apart
  lenet-gpu evaluate runs/one runs/two runs/three the mean of three networks
"""


PICTURE = "evaluation.png"

CLASSES_A_ROW = 10


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "measure a model on a data set; draw its confusion matrix and the misread digits"
    parser = add_command(subparsers, "evaluate", summary, EXAMPLES, run)
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help="model file, folder of a run, or name of a shipped model; several are averaged",
    )
    parser.add_argument(
        "--tta", action="store_true", help="test-time augmentation: average nine views of each image, a pixel apart"
    )
    parser.add_argument("--split", choices=("test", "train"), default="test", help="which images (default: test)")
    add_data_options(parser)
    add_backend_option(parser)
    add_picture_options(parser, f"{PICTURE} in the current folder")
    parser.add_argument("--no-picture", action="store_true", help="draw nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run(options: argparse.Namespace) -> int:
    """Evaluate; see the parser for the options."""
    import numpy as np

    from lenet_gpu.backend import select_backend
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.engine.select import make_engine
    from lenet_gpu.nn.losses import softmax
    from lenet_gpu.nn.metrics import evaluate_outputs
    from lenet_gpu.nn.network import Network
    from lenet_gpu.recognition.ensemble import combined_outputs, views
    from lenet_gpu.storage.shipped_models import model_path

    paths = [model_path(model) for model in options.models]
    for path in paths:
        Network.load(path)  # a damaged file is named before anything else happens
    picture = None
    if not options.no_picture:
        picture = Path(PICTURE) if options.out is None else options.out
        check_picture(picture, force=options.force)
    elif options.out is not None:
        raise InputError("--out", found="--no-picture beside it", expected="one of them", remedy="leave one out")
    source = "mnist" if options.dataset is None else options.dataset
    data = load_dataset(source, data_dir=options.data_dir, download=not options.no_download)
    backend = select_backend(options.backend, device=options.device)
    split = getattr(data, options.split)
    each: list[np.ndarray] = []
    for path in paths:
        network = Network.load(path, backend)
        labels = network.class_labels or tuple(range(network.classes))
        known = data.class_labels[: len(labels)]
        if labels[: len(known)] != known or split.labels.max(initial=0) >= len(labels):
            raise InputError(
                path,
                found=f"a network of the classes {', '.join(map(str, labels[:6]))}",
                expected=f"those of {data.name}: {', '.join(map(str, data.class_labels[:6]))}",
                remedy="name data of its classes with --dataset, or call Network.load(path).evaluate(images, labels)",
            )
        if each and each[0].shape[1] != network.classes:
            found, expected = f"{network.classes} classes", f"{each[0].shape[1]}, as {paths[0]} has"
            raise InputError(path, found=found, expected=expected, remedy="evaluate them one by one")
        with make_engine(network) as engine:
            each += [engine.outputs(view) for view in (views(split.images) if options.tta else [split.images])]
    outputs = combined_outputs(each)
    evaluation = evaluate_outputs(outputs, split.labels)
    report = {
        "model": ", ".join(map(str, paths)),
        "views": len(each) // len(paths),
        "dataset": data.name,
        "split": options.split,
        "images": len(split.labels),
        "errors": evaluation.errors,
        "accuracy": evaluation.accuracy,
        "loss": evaluation.loss,
        "labels": list(labels),
        "confusion": evaluation.confusion.tolist(),
        "picture": None,
    }
    if not options.json:
        print(_text(report), flush=True)  # the picture takes its time, and may fail
    if picture is not None:
        from lenet_gpu.report import plots
        from lenet_gpu.report.pictures import draw_if_possible, save

        confidences = softmax(np, outputs).max(axis=1)

        def draw() -> None:
            save(plots.evaluation(evaluation, split.images, confidences, labels), picture)

        if draw_if_possible(draw, "the same command again, or with --no-picture"):
            report["picture"] = str(picture)
    if options.json:
        print(json.dumps(report))
    elif report["picture"]:
        print(f"picture   {picture}")
    return 0


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"model     {report['model']}",
        *([f"views     {report['views']} of each image"] if report["views"] > 1 else []),
        f"data      {report['dataset']}, {report['split']} set, {report['images']:,} images",
        f"accuracy  {100 * report['accuracy']:.2f} %  ({report['errors']} misread)",
        f"loss      {report['loss']:.4f}",
        *_by_class(report["labels"], report["confusion"]),
    ]
    pairs = most_confused(report["confusion"])
    if pairs:
        names = report["labels"]
        lines.append("mistaken  " + ", ".join(f"{names[a]} as {names[b]}: {count} times" for a, b, count in pairs))
    return "\n".join(lines)


def _by_class(labels: list[Any], confusion: list[list[int]]) -> list[str]:
    """Write the share of each class that is read right, some classes a row."""
    shares = [f"{100 * row[k] / sum(row):.1f}" if sum(row) else "-" for k, row in enumerate(confusion)]
    width = max(6, *(len(str(label)) for label in labels))
    lines = []
    for start in range(0, len(labels), CLASSES_A_ROW):
        some = slice(start, start + CLASSES_A_ROW)
        lines += [
            "class     " + " ".join(f"{label:>{width}}" for label in map(str, labels[some])),
            "right, %  " + " ".join(f"{share:>{width}}" for share in shares[some]),
        ]
    return lines


def most_confused(confusion: list[list[int]], most: int = 3) -> list[tuple[int, int, int]]:
    """Find the classes that are mistaken for each other most often.

    Args:
        confusion: [class][class it is read as], counts.
        most: How many pairs at most.

    Returns:
        The class, what it is read as, and how often, the most frequent first.
    """
    found = [(a, b, count) for a, row in enumerate(confusion) for b, count in enumerate(row) if a != b and count]
    return sorted(found, key=lambda pair: (-pair[2], pair[:2]))[:most]
