"""The progress of a training run, shown to people; and the callbacks that every run has."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.quiet import is_quiet
from lenet_gpu.training.callbacks import Callback, EachEpoch, TrainingRun

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset

AnyCallback = Callback | Callable[[dict[str, Any]], object]
"""A callback, or a function of an epoch's log entry."""

LOSS_WINDOW = 100
"""The progress bar shows the mean loss of this many steps."""


class ProgressBar(Callback):
    """Shows a bar with loss, images a second and time left, and a line for each finished epoch.

    The bar goes to standard error, and only to a terminal or a notebook; the lines go to standard output.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._phase: object = None

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Say what is about to run."""
        model, recipe, engine = trainer.model, trainer.recipe, trainer.engine
        assert engine is not None
        name = getattr(model, "variant", type(model).__name__)
        sets = [("training", data.train), ("validation", data.validation), ("test", data.test)]
        counts = [f"{len(split.labels):,} {what}" for what, split in sets if split is not None]
        _print(f"network   {name}, {model.parameters.size:,} parameters, seed {trainer.seed}")
        _print(f"data      {data.name}, {' and '.join(counts)} images")
        _print(f"recipe    {recipe.name}: {recipe.description}")
        _print(f"backend   {model.backend.name}: {model.backend.device_name}")
        _print(f"engine    {engine.described(recipe.batch_size)}")
        _print(
            f"loss      {model.loss}: mean of an epoch's batches while they are learnt; %: of whole sets, afterwards"
        )
        if trainer.epochs_done:
            _print(f"continuing after epoch {trainer.epochs_done} of {recipe.epochs}")
        self._epochs = recipe.epochs

    def on_progress(self, epoch: int, done: int, total: int, losses: np.ndarray) -> None:
        """Move the bar."""
        self._show(f"epoch {epoch}/{self._epochs}", done, total)
        self._bar.set_postfix(loss=f"{losses[-LOSS_WINDOW:].mean():.4f}", refresh=False)

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Move the bar of the evaluation."""
        self._show(f"reading the {what}", done, total)

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Print the epoch's figures."""
        self.close()
        shown = [
            f"{what} {100 * log[f'{what}_accuracy']:.2f} %"
            for what in ("train", "validation", "test")
            if f"{what}_accuracy" in log
        ]
        last = "test" if "test_error" in log else "validation" if "validation_error" in log else "train"
        _print(
            f"epoch {log['epoch']:2d}/{trainer.recipe.epochs}  loss {log['loss']:.4f}  {'  '.join(shown)} "
            f"(error {100 * log[f'{last}_error']:.2f} %)  {log['seconds']:.1f} s + "
            f"{log['evaluation_seconds']:.1f} s evaluation, {log['images_per_second']:,.0f} images/s"
        )

    def on_trained(self, trainer: TrainingRun) -> None:
        """Remove the bar."""
        self.close()

    def _show(self, phase: str, done: int, total: int) -> None:
        from tqdm.asyncio import tqdm_asyncio
        from tqdm.auto import tqdm

        if self._phase != phase:
            self.close()
            # tqdm.auto gives another class in a notebook, which has no terminal and shows a bar all the same.
            hidden = None if tqdm is tqdm_asyncio else False
            hidden = True if is_quiet() or sys.stderr is None or sys.stderr.closed else hidden
            self._bar = tqdm(total=total, desc=phase, unit=" images", leave=False, disable=hidden, file=sys.stderr)
            self._phase = phase
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar = self._phase = None


def _print(line: str) -> None:
    """Print a line at once, where there is a standard output that takes it: training goes on without."""
    if is_quiet():
        return
    with contextlib.suppress(OSError, ValueError):  # a full disk, a reader who has left, a closed stream
        if sys.stdout is not None:
            print(line, flush=True)


def callbacks_of(callbacks: Sequence[AnyCallback], progress: bool) -> list[Callback]:
    """Make callbacks of functions, and add a progress bar where one is wanted and there is none.

    Raises:
        InputError: Something that is neither.
    """
    made: list[Callback] = []
    for callback in callbacks:
        if isinstance(callback, type) or not (isinstance(callback, Callback) or callable(callback)):
            expected = "a Callback object, or a function of an epoch's log entry"
            raise InputError("callbacks", found=repr(callback), expected=expected)
        made.append(callback if isinstance(callback, Callback) else EachEpoch(callback))
    if progress and not any(isinstance(callback, ProgressBar) for callback in made):
        made.insert(0, ProgressBar())
    return made
