"""A LeNet-5 as one web page that reads what is drawn on it; its scripts, style and words lie in `page/`.

The page needs no network, no library and no server: `page/*.js` are modules that import one another, and are put into
one inline script here, the style beside it, and the model as data. A policy in the page allows that script and that
style by their hashes and nothing else. Constants of the rasteriser, the splitting of numbers and the refusal are
taken from the Python modules that own them.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

import numpy as np

from lenet_gpu._version import __version__
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.ink import cuts, preprocess, raster, segmentation, signs, stroke_lines, stroke_row
from lenet_gpu.paper import C3_TABLE, CLASSES, CODES, IMAGE_SIZE, SQUASH_A, SQUASH_S
from lenet_gpu.recognition import answers, recognizer, rejection

FIRST = "main.js"
"""The module that the others are imported by."""

STEPS = 32_767
"""Steps of a 16-bit weight from 0 to the greatest of its unit."""

_IMPORT = re.compile(r'^import (?:\{[^}]*\} )?(?:from )?"\./([a-z_]+\.js)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:async function|function|const|class) )", re.M)


def html_bytes(plain: PlainNetwork) -> bytes:
    """Make the page.

    Args:
        plain: The network.

    Returns:
        HTML in UTF-8, at most 450,000 bytes with ten classes.
    """
    script, style = _script(), _file("style.css")
    page = _file("page.html")
    parts = {
        "POLICY": html.escape(content_policy(script, style), quote=True),
        "STYLE": style,
        "MODEL": _json(model_data(plain)),
        "RULES": _json(rules()),
        "WORDS": _json(json.loads(_file("words.json"))),
        "SCRIPT": script,
        "VERSION": __version__,
    }
    return re.sub("@([A-Z]+)@", lambda match: parts[match[1]], page).encode("utf-8")


def content_policy(script: str, style: str) -> str:
    """Write the policy under which the page runs: its own script and style, and nothing from anywhere.

    Args:
        script: The text of the page's script.
        style: The text of its style.
    """
    script_hash, style_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def model_data(plain: PlainNetwork) -> dict[str, Any]:
    """Give what the page knows of the network, as plain data for JSON.

    Weights have 16 bits, in steps of their unit's own (a kernel's, for C1 and C3): at half the size their error is a
    tenth of that of 16-bit floating-point numbers. All else is float32.

    Args:
        plain: The network.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, array in plain.parameters.items():
        if name.endswith(".weight"):
            arrays[name], arrays[f"{name}.step"] = _in_steps(array)
        else:
            arrays[name] = array.astype("<f4")
    fitted = rejection.Rejection.from_arrays(plain.extras)
    if fitted is not None:
        arrays |= {"means": fitted.means.astype("<f4"), "precision": fitted.precision.astype("<f4")}
    digits = plain.classes == CLASSES and tuple(plain.class_labels) in ((), tuple(range(CLASSES)))
    return {
        "classes": plain.classes,
        "labels": [str(label) for label in plain.class_labels or range(plain.classes)],
        "readsDigits": digits,
        "background": plain.background,
        "ink": plain.ink,
        "squashA": SQUASH_A,
        "squashS": SQUASH_S,
        "table": C3_TABLE,
        "codes": CODES if plain.variant == "paper" else None,
        "temperature": float(np.float32(plain.temperature)),
        "limit": None if fitted is None else fitted.limit,
        "arrays": [[name, array.dtype.name, array.size] for name, array in arrays.items()],
        "bytes": base64.b64encode(b"".join(array.tobytes() for array in arrays.values())).decode(),
    }


def _in_steps(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write weights as whole numbers of steps: int16 in the weights' shape, and the step of each first index."""
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    step = (np.maximum(np.abs(rows).max(axis=1), 1e-30) / STEPS).astype("<f4")
    return np.rint(rows / step[:, None]).clip(-STEPS, STEPS).astype("<i2").reshape(weight.shape), step


def rules() -> dict[str, dict[str, Any]]:
    """Give the constants that the page's scripts follow, by the module that they come from."""
    pen = preprocess.DEFAULT_PEN
    return {
        "raster": {
            **_constants(raster, "PIECE", "FINEST", "MANY", "FAR"),
            **_constants(preprocess, "BOX", "MOST_POINTS"),
            "SIDE": IMAGE_SIZE,
            "WIDTH": pen.width,
            "SOFTNESS": pen.softness,
        },
        "cuts": _constants(
            cuts, "MOST_STROKES", "REACH", "READING_WEIGHT", "MIN_READING", "DIGIT_PENALTY", "MIN_LOG_ODDS", "WIDEST"
        ),
        "stroke_row": _constants(stroke_row, "SAMPLES"),
        "segmentation": _constants(
            segmentation,
            *("TOGETHER", "FLAT", "STRAIGHT", "SPECK", "SIGN_READING", "TOUCHING", "CROSSED", "APART"),
        ),
        "signs": _constants(signs, "TALL", "DASH", "DOT"),
        "stroke_lines": _constants(stroke_lines, "TALL", "GAP", "RINGS", "CLOSED", "OVER", "LONG", "SLOPES"),
        "recognizer": _constants(recognizer, "MOST_STROKES", "MOST_POINTS", "SIGNS", "IN_WORDS"),
        "rejection": _constants(
            rejection, "CONFIDENCE_FLOOR", "UNDECIDED", "GRAIN", "SOME_GRAIN", "UNDECIDED_BETWEEN"
        ),
        "answers": _constants(answers, "SURE", "RIVAL", "NOT_READ"),
    }


def _constants(module: Any, *names: str) -> dict[str, Any]:
    values = {name: getattr(module, name) for name in names}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _script() -> str:
    """Put the modules into one script: each behind those that it imports, without imports and exports.

    It is no module: a module waits until the page was laid out once without its words.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        for needed in _IMPORT.findall(_file(name)):
            if needed not in order:
                visit(needed)
        order.append(name)

    visit(FIRST)
    bodies = [_EXPORT.sub("", _IMPORT.sub("", _file(name))) for name in order]
    every = "\n".join(f"// ---- {name}\n{body}" for name, body in zip(order, bodies, strict=True))
    return f'"use strict";\n{{\n{every}}}\n'  # within a block nothing becomes the window's


def _json(data: Any) -> str:
    """Write data so that nothing in it ends the element that holds it.

    All is ASCII: a class may have a name that UTF-8 has no bytes for, and a browser keeps a page of other letters in
    twice the memory and takes longer to take it in.
    """
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _file(name: str) -> str:
    return (files("lenet_gpu.export") / "page" / name).read_text(encoding="utf-8")
