"""``lenet-gpu predict``: read the digit in image files, or the number in files of pen strokes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet_gpu.commands import predict_classes, predict_table
from lenet_gpu.commands.options import add_command
from lenet_gpu.commands.options import path as output_path

if TYPE_CHECKING:
    from lenet_gpu.recognition.answers import Number, Prediction

MOST_BYTES = 20_000_000  # of a file of strokes: 200,000 points with every digit that a number can have

EXAMPLES = """\
  lenet-gpu predict mnist photo.jpg               the shipped model reads a picture of one digit
  lenet-gpu predict runs/one *.png --json         one JSON object a line
  lenet-gpu predict runs/one test.csv --out submission.csv    the pictures of a table, as Kaggle wants them
  lenet-gpu predict mnist strokes.json            pen strokes [[[x, y], ...], ...], y down: one digit or several
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "read the digit in image files, of any size and polarity, the digit anywhere; or pen strokes"
    parser = add_command(subparsers, "predict", summary, EXAMPLES, run)
    parser.add_argument("model", metavar="MODEL", help="model file, folder of a run, or name of a shipped model")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="PNG, JPEG, BMP ... of one digit, or .json of pen strokes"
    )
    parser.add_argument(
        "--out", type=output_path, metavar="CSV", help="with a CSV of pictures: write the answers there"
    )
    parser.add_argument("--force", action="store_true", help="let --out replace a file that exists")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file")


def run(options: argparse.Namespace) -> int:
    """Predict; every file is read before the first answer, so that bad input prints nothing else."""
    from lenet_gpu.ink.image_files import read_gray
    from lenet_gpu.recognition.recognizer import Recognizer

    status = predict_table.answer(options)
    status = predict_classes.answer(options, read_strokes) if status is None else status
    if status is not None:
        return status
    recognizer = Recognizer(options.model)
    answers: list[Prediction | Number] = []
    for path in options.files:
        if path.suffix.lower() == ".json":
            answers.append(recognizer.predict_number(read_strokes(path)))
        else:
            answers.append(recognizer.predict_image(read_gray(path)))
    for path, answer in zip(options.files, answers, strict=True):
        if options.json:
            print(json.dumps({"file": str(path), **_report(answer)}))
        else:
            print("\n".join(_words(str(path), answer)))
    return 0


def read_strokes(path: Path) -> list[Any]:
    """Read pen strokes from a JSON file.

    Args:
        path: A list of strokes, each a list of [x, y].

    Raises:
        InputError: It can't be read, or is something else.
    """
    from lenet_gpu.errors import InputError
    from lenet_gpu.ink.preprocess import STROKES, check_strokes
    from lenet_gpu.input_files import open_input, unreadable

    try:
        with open_input(path, "a file of strokes", MOST_BYTES) as file:
            strokes = json.loads(file.read())
    except OSError as error:
        raise unreadable(path, error, "a file of strokes") from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, found=f"no JSON ({error})", expected=STROKES, remedy="mend the file") from None
    if not isinstance(strokes, list):
        raise InputError(path, found=type(strokes).__name__, expected=STROKES)
    try:
        check_strokes(strokes)
    except InputError as error:
        thing = f"{path}, {error.thing}"
        raise InputError(thing, found=error.found, expected=error.expected, remedy=error.remedy) from None
    return strokes


def _report(answer: Prediction | Number) -> dict[str, Any]:
    """Give an answer as plain data, for JSON."""
    from lenet_gpu.recognition.answers import Number

    if isinstance(answer, Number):
        digits = [
            {**_report(digit), "strokes": list(digit.strokes), "box": list(digit.box)} for digit in answer.digits
        ]
        return {"text": answer.text, "digits": digits}
    return {
        "digit": answer.digit if answer.is_digit else None,
        "confidence": answer.confidence,
        "is_digit": answer.is_digit,
        "reason": answer.reason,
        "probabilities": [float(p) for p in answer.probabilities],
    }


def _words(name: str, answer: Prediction | Number) -> list[str]:
    """Give an answer as lines for people."""
    from lenet_gpu.recognition.answers import Number

    if isinstance(answer, Number):
        if not answer.digits:
            return [f"{name}: not a digit (blank)"]
        lines = [f"{name}: {answer.text}"]
        for digit in answer.digits:
            lines += [f"  {line}" for line in _words("stroke " + ", ".join(map(str, digit.strokes)), digit)]
        return lines
    if not answer.is_digit:
        return [f"{name}: not a digit ({answer.reason})"]
    return [
        f"{name}: {answer.digit}  (confidence {100 * answer.confidence:.1f} %)",
        "  " + "  ".join(f"{d}: {100 * p:.1f} %" for d, p in enumerate(answer.probabilities)),
    ]
