"""The commands that a worker process of the CPU engine carries out; main.py receives them."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from lenet_gpu.engine import cover
from lenet_gpu.engine.cpu.online.training import OnlineTraining, covers_step
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.spec import NetworkSpec
from lenet_gpu.engine.cpu.workers.cores import keep_to_core, own_cores
from lenet_gpu.engine.cpu.workers.shared import SharedArrays
from lenet_gpu.engine.cpu.workers.team import Team, evaluation_batch, offer_core
from lenet_gpu.nn.optim import SGD

OPTIMIZERS = {kind.__name__: kind for kind in cover.OPTIMIZERS}
"""Optimizers that a worker can build from their `settings`, by name. A class of the user's script is not to be found
in another process; whoever has one trains without workers."""

PATIENCE = 1.3
"""Time that a worker with nothing else to do waits for another one's shard before it computes it once more, counted
from the shard's beginning, as a multiple of the time that a shard takes here."""

POLLS = 100
"""Polls of the others' status (about 1 us each) between two sched_yield calls."""


class CoordinatorLost(Exception):
    """The process that gives the commands has ended."""


class Worker:
    """The worker's side of the engine; its public methods are the commands.

    Args:
        rank: Number of this worker.
        parent: Process id of the coordinator.
        settings: What the coordinator says about network and optimizer.
        files: Descriptors of the shared files by name.
    """

    def __init__(self, rank: int, parent: int, settings: dict[str, Any], files: dict[str, int]) -> None:
        self.rank, self._parent = rank, parent
        self._network = NetworkSpec.from_json(settings["network"])
        self._files = {name: SharedArrays(fd) for name, fd in files.items()}
        model = self._files["model"].attach(settings["model"])
        self._control, self._progress = model["control"], model["progress"]
        # The coordinator's arrays, and every worker's own.
        self._given = {name[6:]: array for name, array in model.items() if name.startswith("given.")}
        self._arrays = [
            {name: model[f"own.{name}"][worker] for name in self._given} for worker in range(settings["workers"])
        ]
        self._own = self._arrays[rank]
        kind, arguments = settings["optimizer"] or (SGD.__name__, {})
        self._optimizer = OPTIMIZERS[kind](**arguments)
        self._optimizer.state = {name: array for name, array in self._own.items() if name != "parameters"}
        self._total = np.empty_like(self._own["parameters"])
        self._cores = own_cores()
        self._training_for: object = None
        self._plan = CpuPlan(self._network, self._own["parameters"])

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

    def train(self, run: list, gradients: list, batch_size: int, workers: int, distorted: bool) -> None:
        """Walk all steps together with the other workers that take part; see team.py."""
        if self.rank >= workers:
            return
        arrays = self._files["run"].attach(run)
        for name, array in self._own.items():
            np.copyto(array, self._given[name])
        if covers_step(self._network, self._optimizer, batch_size, self._labels):
            keep_to_core(self.rank, 1, self._cores)
            self._train_online(arrays, distorted)
            return
        keep_to_core(self.rank, workers, self._cores)
        self._prepare(gradients, distorted)
        self._order, self._losses, self._batch_size = arrays["order"], arrays["losses"], batch_size
        self._distortions = arrays["distortions"]
        rates = arrays["rates"].tolist()
        self._shards = len(self._losses)
        self._built_for: int | None = None  # the step whose parameters the plan's weights are made from
        self._shard_seconds = 0.1  # to begin with: patience for those who start up
        team = Team(arrays["status"], self.rank, workers, self._shards)
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

    def _prepare(self, gradients: list, distorted: bool) -> None:
        """Make the plan that writes into the shared gradients, and what distorts images for it."""
        if (gradients, distorted) != self._training_for:
            # (worker, parity of the step, shard, parameter)
            self._gradients = self._files["gradients"].attach(gradients)["gradients"]
            targets = list(self._gradients[self.rank].reshape(-1, self._total.size))
            images = "grid" if distorted else "uint8"
            self._training_plan = CpuPlan(self._network, self._own["parameters"], targets, images=images)
            self._training_for = (gradients, distorted)
        self._distorter = None
        if distorted:
            from lenet_gpu.engine.cpu.distort import BatchDistorter

            self._distorter = BatchDistorter(self._images, self._training_plan.capacity)

    def _train_online(self, arrays: dict[str, np.ndarray], distorted: bool) -> None:
        """Take all steps alone, one image each: there is nothing to share."""
        training = OnlineTraining(self._network, self._own["parameters"], self._optimizer)

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
        Team(arrays["status"], self.rank, 1, 1).set_version(steps)
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
            shard = team.free_shard(step)
            if shard is None:
                shard = self._await_shards(team, step)
            if shard is not None:
                self._compute(team, step, shard)
        gradients = [self._gradients[worker, step % 2, shard] for shard, worker in enumerate(sources)]
        total = gradients[0]  # of a single shard; the update may use it up
        for gradient in gradients[1:]:
            total = np.add(total, gradient, self._total)
        if not team.still(step, sources):
            return False
        team.set_version(step, changing=True)
        self._optimizer.update(self._own["parameters"], total, rate)
        team.set_version(step + 1)
        return True

    def _compute(self, team: Team, step: int, shard: int) -> None:
        """Compute the gradient of one shard of a step's batch."""
        started = time.perf_counter()
        first = step * self._batch_size
        fresh, self._built_for = step != self._built_for, step
        m = min(self._batch_size, len(self._order) - first)
        positions = slice(first + m * shard // self._shards, first + m * (shard + 1) // self._shards)
        indices = self._order[positions]
        distorter = self._distorter
        images = self._images if distorter is None else distorter.source(indices, self._distortions[positions])
        team.begin(step, shard)
        target = step % 2 * self._shards + shard
        self._losses[shard, step] = self._training_plan.gradients(
            images, self._labels, indices, 1.0 / m, target, refresh=fresh
        )
        team.finish(step, shard)
        # Track a recent minimum: a descheduled worker must not inflate the estimate.
        self._shard_seconds = min(1.02 * self._shard_seconds, time.perf_counter() - started)

    def _await_shards(self, team: Team, step: int) -> int | None:
        """Wait until others have finished what they have begun.

        Returns:
            None if that has come, or if it does not matter any more; a shard that they take too long for.
        """
        polls = 0
        while (shard := team.missing_shard(step)) is not None:
            polls += 1
            if polls % POLLS == 0:
                self.check()
                if self._control[0] or team.leader()[1] // 2 > step:
                    return None
                offer_core()
            if team.seconds_since(step, shard) > PATIENCE * self._shard_seconds:
                return shard
        return None

    def _catch_up(self, team: Team, leader: int, step: int) -> int:
        """Copy everything from the worker that is furthest.

        Returns:
            The number of steps that it had finished.
        """
        team.set_version(step, changing=True)
        self._built_for = None
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

    def outputs(self, evaluation: list, loaded: bool, workers: int) -> None:
        """Compute outputs until every image, of the training set if that is `loaded`, is in hand.

        A worker takes the batches of its own share, then what others have not begun, from behind: one that is
        slowed down by another process on its core does less. If two begin a batch at the same moment, both write
        the same numbers.
        """
        if self.rank >= workers:
            return
        arrays = self._files["evaluation"].attach(evaluation)
        np.copyto(self._own["parameters"], self._given["parameters"])
        images = self._images if loaded else arrays["images"]
        outputs, begun, done = arrays["outputs"], arrays["begun"], arrays["done"]
        batches, size = len(begun), evaluation_batch(len(images))
        own = range(batches * self.rank // workers, batches * (self.rank + 1) // workers)
        others = [batch for batch in reversed(range(batches)) if batch not in own]
        fresh = True
        for batch in (*own, *others):
            if not (begun[batch] or self._control[0]):
                begun[batch] = 1
                self.check()
                chosen = slice(batch * size, (batch + 1) * size)
                # One image, if that is what is left, goes the way of many, whichever worker takes it.
                alone = len(outputs[chosen]) == 1
                self._plan.outputs(images[chosen], outputs[chosen], refresh=fresh or alone)
                fresh = False
                done[batch] = 1
