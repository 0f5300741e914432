"""The forms that a network can be exported to, and the files they make."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.export.c_source import c_files
from lenet_gpu.export.html import html_bytes
from lenet_gpu.export.onnx_graph import onnx_bytes
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.export.tensors import npz_bytes, safetensors_bytes, torch_bytes
from lenet_gpu.storage.atomic import output_file, write_atomically

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network


class Form(NamedTuple):
    """A form of file.

    Attributes:
        summary: What it is, for the help.
        ending: The ending of its files' names.
        write: Makes the content.
    """

    summary: str
    ending: str
    write: Callable[[PlainNetwork], bytes] | None


FORMS = {
    "onnx": Form("a graph for ONNX Runtime, OpenVINO, MNN ...", ".onnx", onnx_bytes),
    "safetensors": Form("the parameters by their names", ".safetensors", safetensors_bytes),
    "torch": Form("a state_dict() for a LeNet-5 written in PyTorch", ".safetensors", torch_bytes),
    "c": Form("a C99 source file and its header", ".c", None),
    "npz": Form("the parameters by their names, for NumPy", ".npz", npz_bytes),
    "html": Form("a page that reads what is drawn on it, in any browser", ".html", html_bytes),
}
"""The forms by name."""


def export_network(
    network: Network,
    form: str,
    path: str | os.PathLike[str],
    *,
    int8: bool = False,
    calibration: np.ndarray | None = None,
    force: bool = False,
) -> list[Path]:
    """Write a trained network for another program.

    Args:
        network: A LeNet-5, of either variant and any number of classes.
        form: One of `FORMS`.
        path: The file; for C the source, the header beside it has the ending .h.
        int8: For C: 8-bit weights and whole-number arithmetic instead of float.
        calibration: Training images for `int8`, (n, 28, 28) uint8: some hundred are enough.
        force: Whether files that exist may be replaced.

    Returns:
        The files written.

    Raises:
        InputError: Another network, an unknown form, a package that is missing, or a file that can't be written.
    """
    if form not in FORMS:
        raise InputError("form of export", found=repr(form), expected=" or ".join(map(repr, FORMS)))
    if int8 and form != "c":
        raise InputError("int8", found=f"the form {form!r}", expected="'c'", remedy="leave int8 out")
    target = check_output(form, path, force=force)
    plain = PlainNetwork.of(network)
    write = FORMS[form].write
    if write is not None:
        contents = {target: write(plain)}
    else:
        contents = c_files(plain, target, calibration if int8 else None, int8=int8)
    for file, content in contents.items():
        write_atomically(file, lambda stream, content=content: stream.write(content))  # type: ignore[misc]
    return list(contents)


def check_output(form: str, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Refuse a name for the file before the work begins.

    Args:
        form: One of `FORMS`.
        path: The file.
        force: Whether it may replace one that exists.

    Returns:
        The path.

    Raises:
        InputError: Another ending, a file that exists, or a place that can't be written to.
    """
    target, ending = Path(path), FORMS[form].ending
    if target.suffix.lower() != ending or not target.stem:
        raise InputError(
            target,
            found="a name for another kind of file",
            expected=f"a name that ends in {ending}",
            remedy=f"name it {target.stem or 'lenet5'}{ending}",
        )
    if form == "c" and not re.fullmatch(r"[A-Za-z0-9_.+-]+", target.stem):
        raise InputError(
            target, found="a name that C does not include", expected="A-z, digits, _ . + -", remedy="name it lenet5.c"
        )
    for file in (target, target.with_suffix(".h")) if form == "c" else (target,):
        if output_file(file).exists() and not force:
            raise InputError(
                file, found="a file that exists", expected="a new name", remedy="name another, or replace it by force"
            )
    return target
