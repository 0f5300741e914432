"""What a worker process of the CPU engine can be told to do; main.py is how it is told."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenet_gpu.engine.cpu.online.training import OnlineTraining, covers_step
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.rbf_head import head_of
from lenet_gpu.engine.cpu.workers.cores import keep_to_core, own_cores
from lenet_gpu.engine.cpu.workers.shared import SharedArrays
from lenet_gpu.engine.cpu.workers.team import PORTION, Team, offer_core

PATIENCE = 1.3
"""How long after its beginning a part of another worker is waited for, before a worker that has nothing else to do
computes it once more; in terms of the time that a part takes here."""

LOOKS = 100
"""Looks at the others' words (about 1 us each) between two offers of the core."""


class CoordinatorLost(Exception):
    """The process that gives the orders has ended."""


class Worker:
    """The worker's side of the engine; its public methods are the commands.

    Args:
        rank: Number of this worker.
        parent: Process id of the coordinator.
        settings: What the coordinator says about network and optimiser.
        files: Descriptors of the shared files by name.
    """

    def __init__(self, rank: int, parent: int, settings: dict[str, Any], files: dict[str, int]) -> None:
        self.rank, self._parent, self._settings = rank, parent, settings
        self._files = {name: SharedArrays(fd) for name, fd in files.items()}
        model = self._files["model"].attach(settings["model"])
        self._control, self._progress = model["control"], model["progress"]
        # The coordinator's arrays, and every worker's own.
        self._given = {name[6:]: array for name, array in model.items() if name.startswith("given.")}
        self._arrays = [
            {name: model[f"own.{name}"][worker] for name in self._given} for worker in range(settings["workers"])
        ]
        self._own = self._arrays[rank]
        module, kind, arguments = settings["optimizer"]
        self._optimizer = getattr(importlib.import_module(module), kind)(**arguments)
        self._optimizer.state = {name: array for name, array in self._own.items() if name != "parameters"}
        self._total = np.empty_like(self._own["parameters"])
        self._cores = own_cores()
        self._training_for: object = None
        self._plan = self._make_plan([])

    def _make_plan(self, targets: Sequence[np.ndarray], grid: bool = False) -> CpuPlan:
        settings = self._settings
        return CpuPlan(
            self._own["parameters"],
            targets,
            settings["shapes"],
            settings["chunk"],
            background=settings["background"],
            ink=settings["ink"],
            grid=grid,
            head=head_of(settings["variant"], settings["loss"], str(self._total.dtype), settings["chunk"]),
        )

    def check(self) -> None:
        """Raise CoordinatorLost if the coordinator has ended."""
        if os.getppid() != self._parent:
            raise CoordinatorLost

    def load(self, data: list, images: list | None) -> None:
        """Map the training set; `images`: these lie in a file of their own."""
        arrays = self._files["data"].attach(data)
        if images is not None:
            arrays |= self._files["images"].attach(images)
        self._images, self._labels = arrays["images"], arrays["labels"]

    def train(self, run: list, slots: list, batch_size: int, parties: int, distorted: bool) -> None:
        """Walk all steps together with the other workers; see team.py."""
        if self.rank >= parties:
            return
        arrays = self._files["run"].attach(run)
        network = self._settings["variant"], self._settings["loss"]
        if covers_step(*network, self._optimizer, batch_size, self._labels):
            keep_to_core(self.rank, 1, self._cores)
            self._train_online(arrays, distorted)
            return
        keep_to_core(self.rank, parties, self._cores)
        if (slots, distorted) != self._training_for:
            self._gradients = self._files["slots"].attach(slots)["gradients"]  # (worker, parity, part, parameter)
            targets = list(self._gradients[self.rank].reshape(-1, self._total.size))
            self._training_plan = self._make_plan(targets, distorted)
            self._training_for = (slots, distorted)
        self._distortions = arrays["distortions"]
        self._distorter = None
        if distorted:
            from lenet_gpu.engine.cpu.distort import BatchDistorter

            self._distorter = BatchDistorter(self._images, self._training_plan.capacity)
        self._order, self._losses, self._batch_size = arrays["order"], arrays["losses"], batch_size
        rates = arrays["rates"].tolist()
        self._parts = len(self._losses)
        self._part_seconds = 0.1  # to begin with: patience for those who start up
        for name, array in self._own.items():
            np.copyto(array, self._given[name])
        team = Team(arrays["words"], self.rank, parties, self._parts)
        step = 0
        while step < len(rates) and not self._control[0]:
            self.check()
            leader, version = team.leader()
            if version // 2 > step:
                step = self._catch_up(team, leader, step)
                continue
            team.enter(step)
            if self._take_step(team, step, rates[step]):
                step += 1
            self._progress[self.rank] = step

    def _train_online(self, arrays: dict[str, np.ndarray], distorted: bool) -> None:
        """Take all steps alone, one image each: there is nothing to share."""
        for name, array in self._own.items():
            np.copyto(array, self._given[name])
        settings = self._settings
        training = OnlineTraining(
            self._own["parameters"],
            settings["shapes"],
            self._optimizer,
            background=settings["background"],
            ink=settings["ink"],
            loss=settings["loss"],
        )

        def go_on(done: int) -> bool:
            self.check()
            self._progress[self.rank] = done
            return not self._control[0]

        steps = training.run(
            self._images,
            self._labels,
            arrays["order"],
            arrays["rates"],
            arrays["losses"][0],
            arrays["distortions"] if distorted else None,
            go_on,
        )
        Team(arrays["words"], self.rank, 1, 1).set_version(steps)
        self._progress[self.rank] = steps

    def _take_step(self, team: Team, step: int, rate: float) -> bool:
        """Compute, wait, sum, update.

        Returns:
            Whether the step is done; False if the others have gone on so far that it can't be, or if the run is
            to end.
        """
        while (sources := team.sources(step)) is None:
            if (self._control[0] or team.leader()[1] // 2 > step) and team.sources(step) is None:
                return False
            part = team.free_part(step)
            if part is None:
                part = self._await_parts(team, step)
            if part is not None:
                self._compute(team, step, part)
        slots = [self._gradients[worker, step % 2, part] for part, worker in enumerate(sources)]
        total = slots[0]  # of a single part; the update may use it up
        for slot in slots[1:]:
            total = np.add(total, slot, self._total)
        if not team.still(step, sources):
            return False
        team.set_version(step, changing=True)
        self._optimizer.update(self._own["parameters"], total, rate)
        team.set_version(step + 1)
        return True

    def _compute(self, team: Team, step: int, part: int) -> None:
        """Compute the gradient of one part of a step's batch."""
        started = time.perf_counter()
        first = step * self._batch_size
        m = min(self._batch_size, len(self._order) - first)
        places = slice(first + m * part // self._parts, first + m * (part + 1) // self._parts)
        share = self._order[places]
        distorter = self._distorter
        images = self._images if distorter is None else distorter.source(share, self._distortions[places])
        team.begin(step, part)
        slot = step % 2 * self._parts + part
        self._losses[part, step] = self._training_plan.gradients(images, self._labels, share, 1.0 / m, slot)
        team.finish(step, part)
        # The least of late: whoever is put to sleep in mid-part must not think that parts take so long.
        self._part_seconds = min(1.02 * self._part_seconds, time.perf_counter() - started)

    def _await_parts(self, team: Team, step: int) -> int | None:
        """Wait until others have finished what they have begun.

        Returns:
            None if that has come, or if it does not matter any more; a part that they take too long for.
        """
        looks = 0
        while (part := team.missing_part(step)) is not None:
            looks += 1
            if looks % LOOKS == 0:
                self.check()
                if self._control[0] or team.leader()[1] // 2 > step:
                    return None
                offer_core()
            if team.seconds_since(step, part) > PATIENCE * self._part_seconds:
                return part
        return None

    def _catch_up(self, team: Team, leader: int, step: int) -> int:
        """Copy everything from the worker that is furthest.

        Returns:
            The number of steps that it had finished.
        """
        team.set_version(step, changing=True)
        while True:
            version = team.version(leader)
            if version % 2 == 0:
                for name, array in self._own.items():
                    np.copyto(array, self._arrays[leader][name])
                if team.version(leader) == version:
                    team.set_version(version // 2)
                    return version // 2
            self.check()
            offer_core()

    def outputs(self, evaluation: list, loaded: bool, parties: int) -> None:
        """Compute outputs until every image, of the training set if that is `loaded`, is in hand.

        A worker takes the portions of its own share, then what others have not begun, from behind: one that is
        slowed down by a stranger on its core does less. If two begin a portion at the same moment, both write the
        same numbers.
        """
        if self.rank >= parties:
            return
        arrays = self._files["evaluation"].attach(evaluation)
        np.copyto(self._own["parameters"], self._given["parameters"])
        images = self._images if loaded else arrays["images"]
        outputs, begun, done = arrays["outputs"], arrays["begun"], arrays["done"]
        portions = len(begun)
        own = range(portions * self.rank // parties, portions * (self.rank + 1) // parties)
        others = [portion for portion in reversed(range(portions)) if portion not in own]
        fresh = True
        for portion in (*own, *others):
            if not begun[portion]:
                begun[portion] = 1
                self.check()
                part = slice(portion * PORTION, (portion + 1) * PORTION)
                self._plan.outputs(images[part], outputs[part], refresh=fresh)
                fresh = False
                done[portion] = 1
