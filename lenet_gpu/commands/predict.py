"""``lenet-gpu predict``: read the digits in image files, or the number in files of pen strokes."""

from __future__ import annotations

import argparse
import glob
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet_gpu.commands import predict_classes, predict_table
from lenet_gpu.commands.options import add_command
from lenet_gpu.commands.options import path as output_path
from lenet_gpu.errors import InputError
from lenet_gpu.input_files import unreadable

if TYPE_CHECKING:
    import numpy as np

    from lenet_gpu.recognition.answers import Number, Page, Prediction
    from lenet_gpu.recognition.recognizer import Recognizer

MOST_PICTURE_BYTES = 250_000_000  # read from standard input
MOST_BYTES = 20_000_000  # of a file of strokes: 200,000 points with every digit that a number can have
RIVAL_SHOWN = 0.005  # probability from which another digit is named

EXAMPLES = """\
  lenet-gpu predict mnist photo.jpg               the shipped model reads a picture of one digit or several
  lenet-gpu predict runs/one scans "more/*.png" --json     folders and patterns too; one JSON object a line
  lenet-gpu predict runs/one test.csv --out submission.csv    the pictures of a table, as Kaggle wants them
  lenet-gpu predict mnist strokes.json            pen strokes [[[x, y], ...], ...], y down: one digit or several
  lenet-gpu predict touch - < photo.jpg           a picture from standard input
  lenet-gpu predict touch form.png --show seen    seen/form.png: the picture with boxes and what was read
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "read the digits in image files, of any size and polarity, anywhere; or pen strokes"
    parser = add_command(subparsers, "predict", summary, EXAMPLES, run)
    parser.add_argument("model", metavar="MODEL", help="model file, folder of a run, or name of a shipped model")
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="PNG, JPEG, BMP ..., .json of pen strokes, a folder or a pattern of such files, or - for standard input",
    )
    parser.add_argument(
        "--out", type=output_path, metavar="CSV", help="with a CSV of pictures: write the answers there"
    )
    parser.add_argument("--force", action="store_true", help="let --out and --show replace files that exist")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file")
    parser.add_argument(
        "--show", metavar="FOLDER", type=output_path, help="write each picture there, its digits boxed"
    )


def run(options: argparse.Namespace) -> int:
    """Predict; a file that can't be read takes no other's answer along, and the exit status tells."""
    from lenet_gpu.errors import LenetError
    from lenet_gpu.recognition.recognizer import Recognizer

    status = predict_table.answer(options)
    status = predict_classes.answer(options, inputs, _field) if status is None else status
    if status is not None:
        return status
    recognizer = Recognizer(options.model)
    failed, names = False, inputs(options.files)
    shown = {} if options.show is None else dict(zip(names, shown_files(options.show, names), strict=True))
    for name in names:
        try:
            answer = _answer(recognizer, name, shown.get(name), force=options.force)
        except LenetError as error:
            failed = True
            predict_classes.report_error(name, error, as_json=options.json)
            continue
        if options.json:
            print(json.dumps({"file": name, **_report(answer)}))
        else:
            print("\n".join(_words(name, answer)))
    return InputError.exit_status if failed else 0


def inputs(names: Sequence[str]) -> list[str]:
    """List the files that names on the command line stand for.

    Args:
        names: Files, folders (what is in them, but for hidden files), patterns such as "*.png" that no shell has
        expanded, or "-".

    Raises:
        InputError: A folder without a file, or that can't be read.
    """
    found: list[str] = []
    for name in names:
        path = Path(name)
        if name != "-" and path.is_dir():
            try:
                inside = sorted(str(file) for file in path.iterdir() if file.is_file() and file.name[0] != ".")
            except OSError as error:
                raise unreadable(path, error, "a folder of pictures") from None
            if not inside:
                raise InputError(path, found="an empty folder", expected="pictures", remedy="name image files")
            found += inside
        elif any(sign in name for sign in "*?[") and not path.exists():
            found += sorted(glob.glob(name)) or [name]
        else:
            found.append(name)
    return found


def shown_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Name the picture that --show writes for each file; files of one name in several folders get numbers.

    Args:
        folder: The folder of --show.
        names: The files, or "-".
    """
    taken: dict[str, str] = {}
    found = []
    for name in names:
        stem = "input" if name == "-" else Path(name).stem
        called, number = stem, 1
        while taken.setdefault(called, name) != name:
            number += 1
            called = f"{stem}-{number}"
        found.append(folder / f"{called}.png")
    return found


def _answer(recognizer: Recognizer, name: str, show: Path | None, *, force: bool) -> Prediction | Page | Number:
    """Read one file: a page where there are several digits, and one digit otherwise."""
    if name.lower().endswith(".json"):
        return recognizer.predict_number(read_strokes(Path(name)))
    gray = _gray(name)
    answer: Prediction | Page = recognizer.predict_image(gray)
    if answer.reason.endswith(" digits") or show is not None:
        page = recognizer.read_page(gray)
        if show is not None:
            from lenet_gpu.report.shown import write_shown

            write_shown(show, gray, page, force=force)
        if answer.reason.endswith(" digits"):
            answer = page
    return answer


def _gray(name: str) -> np.ndarray:
    """Read a picture from a file or, for "-", from standard input."""
    from lenet_gpu.ink.image_files import decode_gray, read_gray

    if name != "-":
        return read_gray(name)
    content = sys.stdin.buffer.read(MOST_PICTURE_BYTES + 1)
    if len(content) > MOST_PICTURE_BYTES:
        expected = f"at most {MOST_PICTURE_BYTES:,} bytes"
        raise InputError("standard input", found="more", expected=expected, remedy="shrink the image")
    return decode_gray(io.BytesIO(content), "standard input")


def _field(name: str) -> np.ndarray:
    """Bring a picture, or the strokes of one sign, into MNIST's form."""
    from lenet_gpu.ink.preprocess import check_strokes, image_to_mnist, strokes_to_mnist

    if name.lower().endswith(".json"):
        return strokes_to_mnist(check_strokes(read_strokes(Path(name))))
    return image_to_mnist(_gray(name))


def read_strokes(path: Path) -> list[Any]:
    """Read pen strokes from a JSON file.

    Args:
        path: A list of strokes, each a list of [x, y].

    Raises:
        InputError: It can't be read, or is something else.
    """
    from lenet_gpu.ink.preprocess import STROKES, check_strokes
    from lenet_gpu.input_files import open_input

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


def _report(answer: Prediction | Page | Number) -> dict[str, Any]:
    """Give an answer as plain data, for JSON."""
    from lenet_gpu.recognition.answers import Number, Page

    if isinstance(answer, Number):
        digits = [
            {**_report(digit), "strokes": list(digit.strokes), "box": list(digit.box), "sign": digit.sign}
            for digit in answer.digits
        ]
        return {"text": answer.text, "digits": digits}
    if isinstance(answer, Page):
        lines = [
            {"text": line.text, "digits": [{**_report(d), "box": list(d.box), "sign": d.sign} for d in line.digits]}
            for line in answer.lines
        ]
        return {"text": answer.text, "lines": lines}
    return {
        "digit": answer.digit if answer.is_digit else None,
        "confidence": answer.confidence,
        "is_digit": answer.is_digit,
        "reason": answer.reason,
        "probabilities": [float(p) for p in answer.probabilities],
    }


def _words(name: str, answer: Prediction | Page | Number) -> list[str]:
    """Give an answer as lines for people."""
    from lenet_gpu.recognition.answers import Number, Page
    from lenet_gpu.recognition.rejection import UNLIKE

    if isinstance(answer, Number):
        if not answer.digits:
            return [f"{name}: not a digit (blank)"]
        texts = answer.text.split("\n")
        places = [f", line {k + 1}" for k in range(len(texts))] if len(texts) > 1 else [""]
        lines = [f"{name}{place}: {text}" for place, text in zip(places, texts, strict=True)]
        for digit in answer.digits:
            if digit.sign:
                continue
            lines += [f"  {line}" for line in _words("stroke " + ", ".join(map(str, digit.strokes)), digit)]
        return lines
    if isinstance(answer, Page):
        lines = []
        for number, line in enumerate(answer.lines):
            place = f", line {number + 1}" if len(answer.lines) > 1 else ""
            lines.append(f"{name}{place}: {line.text}")
            for mark in line.digits:
                if not mark.is_digit and not mark.sign:
                    lines.append(f"  at x {mark.box[0]}, y {mark.box[1]}: not a digit ({mark.reason})")
        return lines
    if not answer.is_digit:
        letter = "; a letter?" if answer.reason == UNLIKE else ""
        return [f"{name}: not a digit ({answer.reason}{letter})"]
    shares = enumerate(answer.probabilities)
    rivals = sorted(((p, d) for d, p in shares if d != answer.digit and p >= RIVAL_SHOWN), reverse=True)
    return [
        f"{name}: {answer.digit}  (confidence {100 * answer.confidence:.1f} %)",
        *(["  or " + ", ".join(f"{d}: {100 * p:.1f} %" for p, d in rivals)] if rivals else []),
    ]
