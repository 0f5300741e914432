"""Read parameters by name from a file of another program: safetensors or .npz."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from lenet_gpu.errors import ModelFileError
from lenet_gpu.export.tensors import FACTS
from lenet_gpu.input_files import open_input, unreadable
from lenet_gpu.storage.npz import NpzError, read_arrays

MOST_BYTES = 64 << 20
"""Greatest length of a file, and of what it unpacks to; a LeNet-5 of 64 classes has 262,000 bytes."""

EXPECTED = "a file of parameters, .safetensors or .npz"
AGAIN = "export it again, or restore the file"
ZIP, PICKLE = b"PK\x03\x04", b"data.pkl"


def read_state(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file of parameters; its first bytes tell the form, not its name.

    Args:
        path: A safetensors file, or an .npz of plain arrays.

    Returns:
        The arrays by name, for `LeNet5.from_state`, and the facts that `export` has written beside them: none for
        files of other programs.

    Raises:
        ModelFileError: No such file, a damaged one, or one of another kind.
    """
    try:
        with open_input(path, EXPECTED, MOST_BYTES, ModelFileError) as file:
            head = file.read(1 << 12)
            file.seek(0)
            if head.startswith(ZIP) and PICKLE not in head:
                return _from_npz(path, read_arrays(file, MOST_BYTES))
            content = file.read(MOST_BYTES)
    except OSError as error:
        raise unreadable(path, error, EXPECTED, ModelFileError) from error
    except NpzError as error:
        raise ModelFileError(path, found=f"unreadable contents ({error})", expected=EXPECTED, remedy=AGAIN) from None
    if PICKLE in head or head.startswith((b"\x80\x02", b"\x80\x04")):
        raise ModelFileError(
            path,
            found="a pickle, as torch.save writes it, which may run anything",
            expected=EXPECTED,
            remedy="load it in PyTorch and write its state_dict() with safetensors.torch.save_file",
        )
    return _from_safetensors(path, content)


def _from_npz(path: object, arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    meta = arrays.pop("meta", None)
    facts = {} if meta is None else _facts(path, meta.tobytes())
    if str(facts.get("format", "")).startswith("lenet-gpu") and facts["format"] != "lenet-gpu weights":
        raise ModelFileError(
            path,
            found=f"a {str(facts['format']).removeprefix('lenet-gpu ')} file of lenet-gpu",
            expected="a file of parameters from elsewhere",
            remedy="use it as it is: every command takes it as MODEL",
        )
    return arrays, facts


def _from_safetensors(path: object, content: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 10 or length > len(content) - 8 or not content[8:].lstrip().startswith(b"{"):
        raise ModelFileError(path, found="neither of the two", expected=EXPECTED, remedy="name another file")
    try:
        from safetensors.numpy import load
    except ImportError:
        raise ModelFileError(
            path, found="no package safetensors", expected="it, to read the file", remedy="pip install safetensors"
        ) from None
    try:
        header = json.loads(content[8 : 8 + length])
        arrays = load(content)
    except Exception as error:  # SafetensorError, and whatever a header of other types makes of it
        found = f"unreadable contents ({type(error).__name__}: {error})"
        raise ModelFileError(path, found=found, expected=EXPECTED, remedy=AGAIN) from None
    metadata = header.get("__metadata__") or {}
    text = metadata.get(FACTS) if isinstance(metadata, dict) else None
    return arrays, {} if text is None else _facts(path, str(text).encode())


def _facts(path: object, content: bytes) -> dict[str, Any]:
    """Read the facts beside parameters, each of its type."""
    try:
        facts = json.loads(content)
        labels, version = facts.get("class_labels", []), facts.get("version", 1)
        sound = (
            isinstance(labels, list)
            and all(isinstance(label, (int, str)) and not isinstance(label, bool) for label in labels)
            and isinstance(facts.get("variant", ""), str)
            and all(
                isinstance(facts.get(name, 0.0), (int, float)) and not isinstance(facts.get(name), bool)
                for name in ("background", "ink", "temperature")
            )
        )
    except (ValueError, AttributeError, RecursionError):
        sound, version, facts = False, 1, {}
    if not sound or version != 1:
        found = f"facts of format version {version!r}" if sound else "facts beside the parameters that are none"
        raise ModelFileError(path, found=found, expected="those that lenet-gpu export writes", remedy=AGAIN)
    return facts
