"""Prepared calls for each number of images, recorded when they are needed for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lenet_gpu.engine.cpu.backward import BackwardPass
from lenet_gpu.engine.cpu.describe import describe
from lenet_gpu.engine.cpu.forward import ForwardPass
from lenet_gpu.engine.cpu.gather import Gather, Tiles
from lenet_gpu.engine.cpu.gather_lines import Lines
from lenet_gpu.engine.cpu.heads import make_head
from lenet_gpu.engine.cpu.layout import Buffers
from lenet_gpu.engine.cpu.ops import Call, Recorder, run
from lenet_gpu.engine.cpu.reach import Reach
from lenet_gpu.engine.cpu.spec import PlanSpec
from lenet_gpu.engine.cpu.weights import Weights


class Program(NamedTuple):
    """The calls for one number n of images, and the arrays that go in and come out."""

    images: np.ndarray  # (n, pixels): written before `load` runs
    labels: np.ndarray  # (n,): written before `backward` runs
    s4: np.ndarray  # (400, n): there when `forward` has run
    restore: list[Call]  # rows of ones and empty margins; see `ForwardPass.restore`
    load: list[Call]
    forward: list[Call]
    backward: list[Call]  # behind the dense layers' calls for as many images


class Dense(NamedTuple):
    """The fully connected layers' calls for one number n of images, and the arrays that go in and come out."""

    s4: np.ndarray  # (400, n): `Program.s4` where n images are one chunk, else to be written
    outputs: np.ndarray  # (n, classes): there when the calls have run
    calls: list[Call]


def make_gather(spec: PlanSpec) -> Gather:
    """Choose the way to gather for a plan."""
    return Tiles(spec.grid) if spec.training else Lines(spec.grid)


class Programs:
    """Records calls and keeps them.

    Args:
        spec: What the plan is made for.
        parameters: Flat parameter buffer.
        targets: Flat buffers of the same form that programs write gradients to; none for inference alone.
        buffers: The plan's arrays.

    Attributes:
        build: The calls that build the weight matrices from the parameters.
        weights: These matrices.
        head: The output layer.
        forward: The recorder of the forward pass.
    """

    def __init__(
        self, spec: PlanSpec, parameters: np.ndarray, targets: Sequence[np.ndarray], buffers: Buffers
    ) -> None:
        self._spec, self._parameters, self._targets = spec, parameters, targets
        self.weights = Weights(parameters, spec)
        self.head = make_head(spec, spec.network.views(parameters))
        self.forward = ForwardPass(spec, parameters, self.weights, self.head, buffers, make_gather(spec))
        self._backward = BackwardPass(spec, parameters, self.weights, self.head, buffers) if targets else None
        self._buffers = buffers
        self.build = self._recorded("build", 0, 0).calls
        self._labels = np.zeros(spec.capacity, np.intp)
        self._programs: dict[tuple[int, int], Program] = {}
        self._dense: dict[int, Dense] = {}

    def get(self, n: int, target: int) -> Program:
        """Give the program for n images, ready to run.

        Args:
            n: Number of images, at most the capacity.
            target: Index of the buffer that receives the gradients.
        """
        program = self._programs.get((n, target))
        if program is None:
            program = self._programs[n, target] = Program(
                self.forward.images(n),
                self._labels[:n],
                self.forward.s4(n),
                *(self._recorded(name, n, target).calls for name in ("restore", "load", "forward", "backward")),
            )
        if n != self._buffers.ready_for:
            run(program.restore)
            self._buffers.ready_for = n
        return program

    def dense(self, n: int) -> Dense:
        """Give the fully connected layers' calls for n images, at most as many as go through together."""
        if n not in self._dense:
            calls = self._recorded("dense", n, 0).calls
            self._dense[n] = Dense(self.forward.dense_input(n), self.head.outputs(n).T, calls)
        return self._dense[n]

    def _recorded(self, name: str, n: int, target: int) -> Recorder:
        """Record one list of calls."""
        do = Recorder(self._spec.products)
        if name == "build":
            self.weights.build(do)
        elif name == "backward":
            if self._backward is not None:
                self._backward.record(do, n, self._labels[:n], self._targets[target])
        else:
            getattr(self.forward, name)(do, n)
        return do

    def describe(self, n: int) -> str:
        """List the calls for n images; see `CpuPlan.describe`."""
        passes = {
            "weights, built from the parameters": self._recorded("build", n, 0),
            "images": self._recorded("load", n, 0),
            "forward": self._recorded("forward", n, 0),
            "forward, fully connected layers": self._recorded("dense", n, 0),
        }
        arrays = {
            **self._named("", self._parameters),
            **self.weights.arrays,
            **self.forward.arrays(n),
            **self.head.arrays(n),
            "labels": self._labels[:n],
        }
        if self._backward is not None:
            passes["backward"] = self._recorded("backward", n, 0)
            arrays |= self._backward.arrays() | self._named("grad ", self._targets[0])
        return f"{n} images at once: {describe(passes, arrays)}"

    def _named(self, prefix: str, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Name the layers ("c3.*") and the parameters ("c3.weight") in a buffer laid out like the parameters."""
        layers = {f"{prefix}{layer}.*": view for layer, view in self.weights.layers_of(flat).items()}
        return layers | {prefix + name: view for name, view in self._spec.network.views(flat).items()}


class Variants:
    """The programs for each choice of layers whose sums lie near 0 (reach.py); they share all large arrays.

    Args:
        spec: What the plan is made for.
        parameters: Flat parameter buffer.
        targets: As for `Programs`.
    """

    def __init__(self, spec: PlanSpec, parameters: np.ndarray, targets: Sequence[np.ndarray]) -> None:
        self._spec, self._parameters, self._targets = spec, parameters, targets
        self._buffers = Buffers(spec, make_gather(spec).sizes)
        self._reach = Reach(spec, parameters)
        self._programs: dict[frozenset[str], Programs] = {}

    def get(self, near: frozenset[str]) -> Programs:
        """Give the programs for parameters that keep these layers' sums near 0."""
        if near not in self._programs:
            spec = replace(self._spec, near=near)
            self._programs[near] = Programs(spec, self._parameters, self._targets, self._buffers)
        return self._programs[near]

    def built(self) -> Programs:
        """Build the weights of the programs for the parameters as they are now, and give these."""
        programs = self.get(self._reach.near())
        run(programs.build)
        return programs
