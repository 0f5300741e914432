"""Checkpoints: all that is needed to continue a run bit for bit.

The random numbers of an epoch depend on the seed and the epoch's number alone (`lenet_gpu.seeds`), so the
parameters, the optimiser's arrays, the history and the configuration are the whole state of a run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError, ModelFileError
from lenet_gpu.seeds import MAX_SEED
from lenet_gpu.storage import model_file
from lenet_gpu.training.recipe import Recipe, from_dict

CHECKPOINT_FILE = "checkpoint.npz"
MODEL_FILE = "model.npz"
LOG_FILE = "log.jsonl"
COMMAND_FILE = "command.txt"
BEST_FILE = "best.npz"
CURVES_FILE = "curves.png"
RUN_FILES = (CHECKPOINT_FILE, COMMAND_FILE, LOG_FILE, MODEL_FILE, BEST_FILE, CURVES_FILE)
"""The files of a run's folder, in the order in which they are written."""

FIELDS = {
    "architecture": dict,
    "seed": int,
    "dataset": str,
    "digests": dict,
    "engine": str,
    "workers": int,
    "history": list,
}
LATER_FIELDS = {
    "own": dict,
    "data_paths": list,
    "source_digests": dict,
    "added": list,
    "package_version": str,
    "validation": float,
    "patience": int,
    "backend": str,
}
"""Types of a checkpoint's entries; earlier versions did not write all of the second kind."""

OF_TEXTS = ("digests", "own", "data_paths", "source_digests", "added")
"""Entries that hold texts alone."""

MOST_WORKERS = 1024
"""Most workers that a checkpoint may name."""


@dataclass
class Checkpoint:
    """State of a run after a whole epoch.

    Attributes:
        parameters: Flat parameter buffer on the host.
        state: The optimiser's arrays by name.
        architecture: What `Network.from_architecture` needs.
        recipe: The run's recipe.
        seed: The run's seed.
        dataset: Name of the data set, without the folders of a path.
        digests: SHA-256 of the data, by member.
        engine: Name of the engine that ran it.
        workers: Its number of workers.
        history: One log entry for each finished epoch.
        own: Names of the optimizer and the schedule, where these are not the recipe's.
        data_paths: Where the data set was found if it was given as a path: that path, absolute and as it was given.
        source_digests: Digests of the recipe's further sources, by source and member.
        added: Names and absolute paths of the data sets that were added to learn from.
        package_version: Version of lenet-gpu that wrote it; "" for one that has not been written.
        validation: Share of the training set that is held out; 0: none.
        patience: Epochs without a new best after which the run ends; 0: it does not.
        backend: Where it was computed, "cpu" or "gpu"; "" if that is not known.
    """

    parameters: np.ndarray
    state: dict[str, np.ndarray]
    architecture: dict[str, Any]
    recipe: Recipe
    seed: int
    dataset: str
    digests: dict[str, str]
    engine: str
    workers: int
    history: list[dict[str, Any]]
    own: dict[str, str]
    data_paths: list[str] = field(default_factory=list)
    source_digests: dict[str, str] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    package_version: str = ""
    validation: float = 0.0
    patience: int = 0
    backend: str = ""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the checkpoint, whole or not at all.

        Raises:
            InputError: The file can't be written.
        """
        meta = {
            "architecture": self.architecture,
            "recipe": self.recipe.as_dict(),
            "seed": self.seed,
            "dataset": self.dataset,
            "digests": self.digests,
            "engine": self.engine,
            "workers": self.workers,
            "history": self.history,
            "own": self.own,
            "data_paths": self.data_paths,
            "source_digests": self.source_digests,
            **({"added": self.added} if self.added else {}),
            **{key: getattr(self, key) for key in ("validation", "patience", "backend") if getattr(self, key)},
        }
        state = {f"state.{name}": array for name, array in self.state.items()}
        model_file.write(path, "checkpoint", meta, {"parameters": self.parameters, **state})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Checkpoint:
        """Read a checkpoint.

        Args:
            path: The file, or the folder of the run.

        Raises:
            ModelFileError: Missing, damaged or of another version.
        """
        path = Path(path)
        if os.path.isdir(path):  # unlike pathlib's, it does not raise for a name that is too long
            path = path / CHECKPOINT_FILE
        meta, arrays = model_file.read(path, "checkpoint")
        try:
            fields = {key: _of_type(kind, key, meta[key]) for key, kind in FIELDS.items()}
            fields |= {key: _of_type(kind, key, meta[key]) for key, kind in LATER_FIELDS.items() if key in meta}
            if not (0 <= fields["seed"] <= MAX_SEED and 0 <= fields["workers"] <= MOST_WORKERS):
                raise ValueError(f"seed {fields['seed']}, {fields['workers']} workers")
            if not (0.0 <= fields.get("validation", 0.0) < 1.0 and fields.get("patience", 0) >= 0):
                raise ValueError(f"validation {fields.get('validation')}, patience {fields.get('patience')}")
            if not all(isinstance(log, dict) and log.get("epoch") == n for n, log in enumerate(fields["history"], 1)):
                raise ValueError("a history that is no list of the epochs from 1")
            recipe = from_dict(meta["recipe"])
            flat = arrays["parameters"]
            dtype = fields["architecture"]["dtype"]
            if dtype not in ("float32", "float64"):
                raise ValueError(f"dtype {dtype!r}")
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, InputError) as error:
            raise ModelFileError(
                path,
                found=f"incomplete contents ({error})",
                expected="a whole checkpoint",
                remedy="train again",
            ) from None
        parameters = model_file.take(path, arrays, "parameters", (flat.size,), dtype)
        state = {
            name[6:]: model_file.take(path, arrays, name, array.shape, str(array.dtype))
            for name, array in arrays.items()
            if name.startswith("state.")
        }
        return cls(parameters=parameters, state=state, recipe=recipe, **{"own": {}, **fields})


def _of_type(kind: type, name: str, value: Any) -> Any:
    """Return a value of a file, once its type is known to be right."""
    is_right: bool = isinstance(value, kind) and not isinstance(value, bool)
    if not is_right:
        raise TypeError(f"{type(value).__name__} as {name}")
    if name in OF_TEXTS:
        inside: Any = value.values() if isinstance(value, dict) else value
        if not all(isinstance(text, str) for text in inside):
            raise TypeError(f"something else than texts in {name}")
    return value


def plain_name(dataset: str) -> str:
    """Name a data set without the folders of a path: where somebody keeps data is nobody's business but theirs.

    Args:
        dataset: Name of a data set, or a path as it was given.

    Returns:
        The name, or the last part of the path.
    """
    is_path = dataset in (os.curdir, os.pardir) or any(sep in dataset for sep in (os.sep, os.altsep) if sep)
    return Path(os.path.abspath(os.path.expanduser(dataset))).name or "data" if is_path else dataset
