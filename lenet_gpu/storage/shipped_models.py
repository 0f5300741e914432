"""Model files by name: those that come with the package, and those of training runs."""

from __future__ import annotations

import os
from pathlib import Path

from lenet_gpu.errors import ModelFileError

WEIGHTS_FOLDER = Path(__file__).resolve().parents[1] / "weights"
"""The folder of the shipped models."""

PREFERRED = ("touch", "mnist")
"""Shipped models by default, the first that is there."""


def shipped_models() -> list[str]:
    """List the names of the models that come with the package."""
    return sorted(path.stem for path in WEIGHTS_FOLDER.glob("*.npz"))


def default_model() -> str:
    """Name the shipped model that is used unless another is asked for."""
    return next(name for name in PREFERRED if name in shipped_models() or name == PREFERRED[-1])


def model_path(model: str | os.PathLike[str]) -> Path:
    """Find the file of a model given by name or path.

    Args:
        model: Name of a shipped model, path of a model file, or folder of a training run.

    Raises:
        ModelFileError: Neither exists.
    """
    if not os.fspath(model):
        raise ModelFileError(
            "model", found="an empty name", expected=f"a path, or one of {', '.join(shipped_models())}"
        )
    path = Path(model)
    if os.path.isdir(path):
        path = path / "model.npz"
    if os.path.exists(path):  # unlike pathlib's, it does not raise for a name that is too long
        return path
    if str(model) in shipped_models():
        return WEIGHTS_FOLDER / f"{model}.npz"
    raise ModelFileError(
        path,
        found="no such file",
        expected=f"a model file, the folder of a run, or a shipped model ({', '.join(shipped_models())})",
        remedy="check the path",
    )
