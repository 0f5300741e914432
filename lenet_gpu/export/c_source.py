"""LeNet-5 as one C99 source file and its header, in float or in whole numbers; the code itself lies in `c/`."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np

from lenet_gpu._version import __version__
from lenet_gpu.export.plain import C3_PAIRS, PlainNetwork
from lenet_gpu.export.quantize import TABLE, quantize
from lenet_gpu.paper import C3_TABLE, CODES, SQUASH_A

STACK = {False: 15_000, True: 9_500}
"""About how many bytes of stack a call takes, by whether it is in whole numbers."""

WIDTH = 116
"""Characters in a line of numbers."""

Constants = tuple[dict[str, int | str], dict[str, np.ndarray]]
"""Definitions for the preprocessor, and arrays, both by name."""

TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "float32": "float"}


def c_files(
    plain: PlainNetwork, target: Path, calibration: np.ndarray | None = None, *, int8: bool = False
) -> dict[Path, bytes]:
    """Make the source file and its header.

    Args:
        plain: The network.
        target: The source file, named .c; the header beside it is named .h.
        calibration: Training images for `int8`, (n, 28, 28) uint8; None: weights are only rounded.
        int8: Whether weights have 8 bits and everything up to the scores is computed in whole numbers.

    Returns:
        The contents by file.
    """
    constants = _int8_constants(plain, calibration) if int8 else _float_constants(plain)
    definitions, arrays = constants
    size = sum(array.nbytes for array in arrays.values())
    header_name = target.with_suffix(".h").name
    parts = [
        f"/* {target.name}: see {header_name}. cc -std=c99 -O3 -c {target.name}, and -lm to link. */",
        f'#include "{header_name}"\n\n#include <math.h>\n',
        "\n".join(f"#define {name} {value}" for name, value in definitions.items()),
        _labels(plain),
        "\n\n".join(_definition(name, array) for name, array in arrays.items()),
        _template("softmax.c"),
        _template("int8.c" if int8 else "float32.c"),
    ]
    facts = {
        "VERSION": __version__,
        "PRECISION": "8-bit weights and whole-number arithmetic" if int8 else "32-bit floating-point",
        "VARIANT": "the paper's" if plain.variant == "paper" else "softmax",
        "STACK": f"{STACK[int8]:,}",
        "CONSTANTS": f"{size:,}",
        "GUARD": re.sub("[^A-Z0-9]", "_", f"LENET5_{target.stem}_H".upper()),
        "CLASSES": str(plain.classes),
    }
    header = re.sub("@([A-Z]+)@", lambda match: facts[match[1]], _template("header.h"))
    source = "\n".join(part for part in parts if part)
    return {target: source.encode("ascii"), target.with_suffix(".h"): header.encode("ascii")}


def _float_constants(plain: PlainNetwork) -> Constants:
    """Give the constants of c/float32.c by name; weights of dense layers one input after the other."""
    folded = {name.replace(".", "_"): array.astype(np.float32) for name, array in plain.folded().items()}
    paper = plain.variant == "paper"
    for name in ("c5", "f6", "output"):
        weight = folded[f"{name}_weight"]
        folded[f"{name}_weight"] = weight.reshape(len(weight), -1).T  # (inputs, units)
    if paper:
        del folded["output_weight"], folded["output_bias"]
        folded["codes"] = np.array(CODES, np.int8)
    definitions: dict[str, int | str] = {
        "LENET5_PAPER": int(paper),
        **({"SQUASH_A": f"{SQUASH_A}f"} if paper else {}),
    }
    return definitions, {**_table(), **folded}


def _int8_constants(plain: PlainNetwork, calibration: np.ndarray | None) -> Constants:
    """Give the constants of c/int8.c by name."""
    network = quantize(plain, calibration)
    arrays = {name.replace(".", "_"): array for name, array in network.arrays.items()}
    shifts: dict[str, int | str] = {f"{name.upper()}_SHIFT": shift for name, shift in network.shifts.items()}
    return shifts, {**_table(), "tanh_table": TABLE, **arrays}


def _table() -> dict[str, np.ndarray]:
    """Give Table I: the S2 map of each kernel of C3, and behind which kernel each map of C3 ends."""
    return {
        "c3_from": C3_PAIRS[:, 1].astype(np.uint8),
        "c3_end": np.cumsum([len(row) for row in C3_TABLE]).astype(np.uint8),
    }


def _definition(name: str, array: np.ndarray) -> str:
    """Write an array as a C definition, in lines of bounded length."""
    values = array.ravel()
    words = (
        [_float(value) for value in values] if array.dtype.kind == "f" else [str(value) for value in values.tolist()]
    )
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 2 > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {word},"
    lines.append(line)
    return f"static const {TYPES[array.dtype.name]} {name}[{len(values)}] = {{\n" + "\n".join(lines) + "\n};"


def _float(value: np.float32) -> str:
    """Write a float32 with the digits that give the same bits again."""
    text = np.format_float_scientific(value, unique=True, trim="0")
    return f"{text}f"


def _labels(plain: PlainNetwork) -> str:
    """Write what the classes are called; whatever is not plain ASCII becomes octal escapes of its UTF-8."""
    labels = plain.class_labels or tuple(range(plain.classes))
    names = "".join(f'    "{_escaped(str(label))}",\n' for label in labels)
    return f"const char *const lenet5_labels[LENET5_CLASSES] = {{\n{names}}};\n"


def _escaped(text: str) -> str:
    plain = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~") | set(range(48, 58)) | set(range(65, 91)) | set(range(97, 123))
    return "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode("utf-8", "surrogatepass"))


def _template(name: str) -> str:
    return (files("lenet_gpu.export") / "c" / name).read_text(encoding="ascii")
