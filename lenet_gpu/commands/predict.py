"""``lenet-gpu predict``: read the digit in image files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import add_command

EXAMPLES = """\
  lenet-gpu predict mnist photo.jpg               the shipped model reads a picture of one digit
  lenet-gpu predict runs/one *.png --json         one JSON object a line
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "read the digit in image files, of any size and polarity, the digit anywhere"
    parser = add_command(subparsers, "predict", summary, EXAMPLES, run)
    parser.add_argument("model", metavar="MODEL", help="model file, folder of a run, or name of a shipped model")
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="PNG, JPEG, BMP ... of one digit")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file")


def run(options: argparse.Namespace) -> int:
    """Predict; every file is read before the first answer, so that bad input prints nothing else."""
    from lenet_gpu.inference import Recognizer
    from lenet_gpu.pictures import read_greyscale

    recognizer = Recognizer(options.model)
    images = [read_greyscale(path) for path in options.files]
    for path, image in zip(options.files, images, strict=True):
        prediction = recognizer.predict_image(image)
        if options.json:
            report = {
                "file": str(path),
                "digit": prediction.digit if prediction.is_digit else None,
                "confidence": prediction.confidence,
                "is_digit": prediction.is_digit,
                "reason": prediction.reason,
                "probabilities": [float(p) for p in prediction.probabilities],
            }
            print(json.dumps(report))
            continue
        if not prediction.is_digit:
            print(f"{path}: not a digit ({prediction.reason})")
            continue
        print(f"{path}: {prediction.digit}  (confidence {100 * prediction.confidence:.1f} %)")
        print("  " + "  ".join(f"{d}: {100 * p:.1f} %" for d, p in enumerate(prediction.probabilities)))
    return 0
