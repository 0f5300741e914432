"""Many runs of one plan: seeds and settings, run by any executor, resumable after any end.

A run is a function of its `Job` alone, so that it does not matter which process or machine carries it out, nor in
which order. A finished run leaves `result.json` in its folder; what is not finished goes on from its checkpoint.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet_gpu.blas_threads import take_one_blas_thread
from lenet_gpu.errors import InputError, LenetError, TrainingError
from lenet_gpu.storage.atomic import write_atomically

if TYPE_CHECKING:
    import numpy as np

    from lenet_gpu.datasets import Dataset

RESULT_FILE = "result.json"
PLAN_FILE = "sweep.json"

VARIED: dict[str, Callable[[str], Any]] = {"recipe": str, "epochs": int, "batch_size": int, "learning_rate": float}
"""Settings in which the runs of a sweep may differ beside their seeds, each an option of ``lenet-gpu train``."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep: plain values, for whichever process carries it out.

    Attributes:
        folder: The run's folder.
        seed: Its seed.
        settings: Settings of its own by name, some of `VARIED`.
        recipe: Name of the recipe, unless the settings name one.
        dataset: Name or path of the data set.
        data_dir: Folder of a data set known by name; None: wherever it is found.
        download: Whether the network may be used.
        validation: Share of the training set that is held out; 0: none.
        patience: Epochs without a better one after which the run ends; 0: it does not.
        backend: "cpu" or "gpu".
        device: Number of the GPU; None: the first one.
        threads: Workers of the CPU engine. The results depend on it, and on nothing else of the machine's size.
    """

    folder: str
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: str = "fast"
    dataset: str = "mnist"
    data_dir: str | None = None
    download: bool = True
    validation: float = 0.0
    patience: int = 0
    backend: str = "cpu"
    device: int | None = None
    threads: int = 1

    @property
    def name(self) -> str:
        """The run's name within the sweep."""
        return name_of(self.settings, self.seed)


def name_of(settings: Mapping[str, Any], seed: int | None = None) -> str:
    """Name the runs with some settings, or one of them.

    Args:
        settings: Some of `VARIED`.
        seed: The seed; None: all of them.
    """
    parts = [f"{key}={value}" for key, value in settings.items()]
    return "-".join(parts if seed is None else [*parts, f"seed{seed}"]) or "all"


def combinations(varied: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """List every combination of the values, the last name varying fastest."""
    return [dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())]


def settle(folder: Path, jobs: Sequence[Job], digests: Mapping[str, str]) -> None:
    """Write down what a sweep is, or compare it with what the folder's sweep was.

    Args:
        folder: The sweep's folder; made if there is none.
        jobs: All of its runs.
        digests: SHA-256 of the data, by member.

    Raises:
        InputError: The folder holds another sweep, or can't be written to.
    """
    here = [{**asdict(job), "folder": Path(job.folder).name, "download": True, "device": None} for job in jobs]
    plan = json.dumps({"runs": here, "digests": dict(digests)}, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / PLAN_FILE
        known = file.read_text(encoding="utf-8") if file.exists() else None
    except OSError as error:
        raise InputError(folder, found=str(error.strerror), expected="a folder to write to") from error
    if known is None:
        write_atomically(file, lambda stream: stream.write(plan.encode()))
    elif known != plan:
        raise InputError(
            folder,
            found="a sweep with other runs or other data",
            expected="the same sweep, to go on with, or a new folder",
            remedy="name another --out",
        )


@lru_cache(maxsize=1)
def _data(dataset: str, data_dir: str | None, download: bool) -> Dataset:
    """Load a data set once in a process that carries out several runs."""
    from lenet_gpu.datasets import load_dataset

    return load_dataset(dataset, data_dir=data_dir, download=download, progress=False)


def finished(job: Job) -> dict[str, Any] | None:
    """Tell how a run has ended; None: it has not."""
    file = Path(job.folder) / RESULT_FILE
    if not file.exists():
        return None
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return result


def run_job(job: Job) -> dict[str, Any]:
    """Carry out a run, or go on with it, or just tell how it has ended.

    Args:
        job: The run.

    Returns:
        Its name, seed and settings; epochs, and the errors (shares 0..1) that the finished model has.

    Raises:
        LenetError: As `Trainer` raises it.
    """
    take_one_blas_thread()  # as the command does: an executor's process has not loaded NumPy yet

    from lenet_gpu.backend.backend import select_backend
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.training.best_epoch import best_epoch
    from lenet_gpu.training.callbacks import RunFolder
    from lenet_gpu.training.checkpoint import CHECKPOINT_FILE
    from lenet_gpu.training.recipes import get_recipe
    from lenet_gpu.training.repeat import repeating_command
    from lenet_gpu.training.run_folder import existing_run, new_run
    from lenet_gpu.training.trainer import Trainer

    if (result := finished(job)) is not None:
        return result
    folder = Path(job.folder)
    data = _data(job.dataset, job.data_dir, job.download)
    backend = select_backend(job.backend, device=job.device)
    if (folder / CHECKPOINT_FILE).exists():
        claim = existing_run(folder)
        trainer = Trainer.resume(folder, backend, progress=False, download=job.download)
    else:
        claim = new_run(folder, job.name, room=0, force=True)
        changes = {key: value for key, value in job.settings.items() if key != "recipe"}
        recipe = get_recipe(job.settings.get("recipe", job.recipe)).with_changes(**changes)
        model = LeNet5(recipe.variant, backend, job.seed, classes=data.classes)
        trainer = Trainer(model, recipe, threads=job.threads, progress=False, download=job.download)
        trainer.validation, trainer.patience = job.validation, job.patience
    trainer.data_dir = job.data_dir or ""
    with claim:
        watching = best_epoch(trainer.validation, trainer.patience, folder)
        trainer.callbacks = [RunFolder(folder, repeating_command), *watching]
        history = trainer.fit(data).history
        chosen = history[trainer.model.record.get("best_epoch", len(history)) - 1]
        result = {
            "name": job.name,
            "seed": job.seed,
            "settings": job.settings,
            "epochs": len(history),
            "epoch": chosen["epoch"],
            "seconds": sum(log["seconds"] for log in history),
            **{key: value for key, value in chosen.items() if key.endswith("_error")},
        }
        write_atomically(folder / RESULT_FILE, lambda stream: stream.write(json.dumps(result).encode()))
    return result


def run_jobs(
    executor: Executor, jobs: Sequence[Job], done: Callable[[dict[str, Any]], None] = lambda result: None
) -> list[dict[str, Any]]:
    """Carry out runs by an executor.

    Args:
        executor: Of `concurrent.futures`, or anything with its interface.
        jobs: The runs.
        done: Called with each result as it comes in.

    Returns:
        The results in the order of `jobs`.

    Raises:
        TrainingError: Some runs have failed; the others are finished by then.
    """
    results = {job.name: result for job in jobs if (result := finished(job)) is not None}
    for result in results.values():
        done(result)
    futures = {executor.submit(run_job, job): job for job in jobs if job.name not in results}
    failed: dict[str, Exception] = {}
    for future in as_completed(futures):
        job = futures[future]
        try:
            results[job.name] = future.result()
        except (LenetError, OSError, RuntimeError) as error:  # RuntimeError: the executor's process was lost
            failed[job.name] = error
        else:
            done(results[job.name])
    if failed:
        name, reason = next(iter(failed.items()))
        raise TrainingError(
            f"{len(failed)} of {len(jobs)} runs",
            found=f"{name}: {str(reason) or type(reason).__name__}",
            expected="all of them finished",
            remedy="remove the reason and give the same command again: what is finished is kept",
        ) from reason
    return [results[job.name] for job in jobs]


def ensemble_error(folders: Sequence[Path], images: np.ndarray, labels: np.ndarray) -> float:
    """Measure the mean of the probabilities of several runs' models.

    Args:
        folders: The runs' folders.
        images: (n, 28, 28) uint8.
        labels: (n,) integers.

    Returns:
        The share of the images that are misread.
    """
    from lenet_gpu.engine.select import make_engine
    from lenet_gpu.nn.metrics import evaluate_outputs
    from lenet_gpu.nn.network import Network
    from lenet_gpu.recognition.ensemble import combined_outputs
    from lenet_gpu.training.checkpoint import MODEL_FILE

    each = []
    for folder in folders:
        with make_engine(Network.load(folder / MODEL_FILE)) as engine:
            each.append(engine.outputs(images))
    return evaluate_outputs(combined_outputs(each), labels).errors / len(labels)
