"""Model and checkpoint files: .npz without pickle, written whole or not at all.

A file holds plain arrays and one entry `meta`, the bytes of a JSON object with the file's kind and version.
The zip entries carry no time of writing, so the same contents give the same bytes. The JSON object holds the
SHA-256 of everything else; files of versions before it have none and are read without that check.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from lenet_gpu._version import __version__
from lenet_gpu.errors import ModelFileError
from lenet_gpu.input_files import LEAST_LIMIT, open_input, unreadable
from lenet_gpu.storage.atomic import write_atomically
from lenet_gpu.storage.npz import read_arrays

VERSION = 1
"""Version of the file format; raised when an older program could not read a newer file."""

MAX_BYTES = 1 << 30
"""Greatest length of a file; those of the shipped models have under a million bytes."""

UNPACKED = 4
"""Times its own length that a file may unpack to beyond `input_files.LEAST_LIMIT`: ours are written unpacked."""


def write(path: str | os.PathLike[str], kind: str, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a model or checkpoint file.

    Args:
        path: File to write.
        kind: "model" or "checkpoint".
        meta: JSON-serialisable facts.
        arrays: Numeric arrays by name.

    Raises:
        InputError: The file can't be written.
    """
    header = {"format": f"lenet-gpu {kind}", "version": VERSION, "package_version": __version__, **meta}
    header["sha256"] = content_digest(header, arrays)
    blob = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
    entries: dict[str, Any] = {"meta": blob, **arrays}
    write_atomically(path, lambda file: np.savez(file, **entries))


def content_digest(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Compute the SHA-256 of what a file holds.

    Args:
        header: The JSON object; its own entry "sha256" does not count.
        arrays: The arrays by name.

    Returns:
        64 hexadecimal digits.
    """
    import hashlib  # not for files without a digest, such as the shipped models

    facts = {key: value for key, value in header.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        values = np.asarray(array)
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def read(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a file written by `write`.

    Args:
        path: File to read.
        kind: Kind it must be of.

    Returns:
        The facts and the arrays.

    Raises:
        ModelFileError: Missing, damaged, of another kind or version, with arrays that need pickle, or with contents
            that do not match their digest.
    """
    expected = f"a {kind} file of lenet-gpu"
    remedy = f"train again or restore the {kind} file"
    try:
        with open_input(path, expected, MAX_BYTES, ModelFileError) as file:
            length = os.fstat(file.fileno()).st_size
            arrays = read_arrays(file, min(MAX_BYTES, max(LEAST_LIMIT, UNPACKED * length)))
        meta = json.loads(arrays.pop("meta").tobytes())
        found_kind = meta["format"]
        version = meta["version"]
    except MemoryError:
        remedy = "free some memory, or name another file"
        raise ModelFileError(path, found="sizes beyond the memory", expected=expected, remedy=remedy) from None
    except OSError as error:
        raise unreadable(path, error, expected, ModelFileError) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:  # NpzError, and of facts that are none
        raise ModelFileError(
            path,
            found=f"unreadable contents ({error or type(error).__name__})",
            expected=expected,
            remedy=remedy,
        ) from None
    if found_kind != f"lenet-gpu {kind}":
        raise ModelFileError(path, found=f"a {found_kind} file", expected=expected, remedy="name the right file")
    if version != VERSION:
        raise ModelFileError(
            path,
            found=f"format version {version!r}",
            expected=f"version {VERSION}",
            remedy=f"read it with the version of lenet-gpu that wrote it ({meta.get('package_version', 'unknown')})",
        )
    if "sha256" in meta and meta["sha256"] != content_digest(meta, arrays):
        raise ModelFileError(
            path,
            found="contents that do not match their SHA-256",
            expected=expected,
            remedy=f"it was changed after it was written: {remedy}",
        )
    return meta, arrays


def take(path: object, arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Take one array of a file and check it.

    Args:
        path: The file, for the error message.
        arrays: What `read` returned.
        name: Name of the array.
        shape: Shape it must have.
        dtype: Type it must have.

    Returns:
        The array.

    Raises:
        ModelFileError: It is missing, of another shape or type, or not finite.
    """
    array = arrays.get(name)
    if array is None or array.shape != shape or array.dtype != dtype:
        found = "none" if array is None else f"{array.dtype} {array.shape}"
        raise ModelFileError(
            path,
            found=f"{found} as {name}",
            expected=f"{dtype} {shape}",
            remedy="restore or train the model again",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelFileError(
            path, found=f"NaN or infinity in {name}", expected="finite values", remedy="train the model again"
        )
    return array
