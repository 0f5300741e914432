"""A contender's process: makes one implementation ready, then runs bursts when told.

A command is one line of JSON on standard input, the answer one line on standard output. Imports, loading and
compilation happen before the first burst; while another contender runs, this process sleeps in a read.

    python contender.py IMPLEMENTATION LAYOUT THREADS
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

LEARNING_RATE = 0.05
SEED = 0
CHUNKS = (100, 250, 1000)
"""Sizes tried for the passes of one inference call over many images."""


class Contender:
    """One implementation of the network `modern`; see the subclasses.

    Args:
        layout: How it lays out its arrays, in its own words.
        threads: Threads or workers it may use.
    """

    chunks: tuple[int, ...] = CHUNKS

    def __init__(self, layout: str, threads: int) -> None:
        self.layout, self.threads = layout, threads

    def versions(self) -> dict[str, str]:
        """Versions of what it runs on."""
        return {}

    def load(self, images, labels, views) -> None:
        """Make the training set resident; `views` are the initial parameters by name."""
        raise NotImplementedError

    def reset(self) -> None:
        """Back to the initial parameters."""
        raise NotImplementedError

    def compile_training(self, batch: int) -> None:
        """Compile what a batch size needs."""
        raise NotImplementedError

    def train(self, order, batch: int):
        """One SGD step for every batch of `order`; the losses before the updates, once all is computed."""
        raise NotImplementedError

    def parameters(self):
        """The flat parameter vector, (60850,) float32, in the order of LeNet5.parameters."""
        raise NotImplementedError

    def ready_inference(self, sizes: tuple[int, ...], views) -> None:
        """Compile inference with these parameters, by name, for these numbers of images a pass."""

    def use_trained(self) -> None:
        """Read with the parameters of `ready_inference` again, where training has replaced them."""

    def close(self) -> None:
        """Give back what outlives the object."""

    def probabilities(self, images):
        """(n, 28, 28) uint8 -> (n, 10) float32 on the host, in one pass."""
        raise NotImplementedError


def make(implementation: str, layout: str, threads: int) -> Contender:
    """Import an implementation and nothing of the others."""
    if implementation in ("cpu_plan", "layered", "plan", "forward"):
        from ours import Ours as Kind
    elif implementation.startswith("torch"):
        from peer_torch import Torch as Kind
    elif implementation == "jax":
        from peer_jax import Jax as Kind
    elif implementation == "onnxruntime":
        from peer_onnx import OnnxRuntime as Kind
    elif implementation == "openvino":
        from peer_openvino import OpenVino as Kind
    elif implementation == "mnn":
        from peer_mnn import Mnn as Kind
    else:
        raise ValueError(f"unknown implementation {implementation!r}")
    return Kind(implementation, layout, threads)


def views_of(parameters) -> dict:
    """Some parameters by name, in the shapes of LeNet5.views."""
    from lenet_gpu import LeNet5

    model = LeNet5()
    model.set_parameters(parameters)
    return {name: view.copy() for name, view in model.views.items()}


class Server:
    """Carries out the commands."""

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        import numpy as np

        self._np = np
        from network import start_parameters

        from lenet_gpu import LeNet5, load_dataset
        from lenet_gpu.seeds import epoch_order

        data = load_dataset("mnist", download=False, progress=False)
        self._order = epoch_order(SEED, 1, len(data.train.labels))
        self._test = data.test.images
        self._chunk = 1000
        self._rate: dict[tuple[str, int], float] = {}
        self._contender = make(implementation, layout, threads)
        self._contender.load(data.train.images, data.train.labels, views_of(start_parameters(LeNet5())))

    def versions(self) -> dict:
        return {"numpy": self._np.__version__, "python": sys.version.split()[0], **self._contender.versions()}

    def compile_training(self, batch: int) -> dict:
        self._contender.compile_training(batch)
        return {}

    def compile_inference(self, sizes: list[int]) -> dict:
        from network import trained_parameters

        sizes = sorted({c for n in sizes for c in (self._contender.chunks if n >= 1000 else (n,))})
        self._contender.ready_inference(tuple(sizes), views_of(trained_parameters()))
        return {}

    def check_training(self, batch: int, steps: int, path: str) -> dict:
        """Losses and parameters of the first steps, into a file."""
        self._contender.reset()
        losses = self._contender.train(self._order[: batch * steps], batch)
        self._np.savez(path, losses=losses, parameters=self._contender.parameters())
        return {}

    def check_inference(self, n: int, path: str) -> dict:
        self._np.savez(path, probabilities=self._many(self._test[:n]))
        return {}

    def warm_training(self, batch: int, seconds: float) -> dict:
        """Run a little and remember the speed, which sets the length of the bursts."""
        images, taken = self._train_for(batch, 3), 0.0
        for steps in (3, 12):
            images, taken = self._train_for(batch, steps)
            if taken > seconds:
                break
        self._rate["train", batch] = images / taken
        return {}

    def train(self, batch: int, seconds: float) -> dict:
        steps = max(3, round(seconds * self._rate["train", batch] / batch))
        images, taken = self._train_for(batch, steps)
        self._rate["train", batch] = images / taken
        return {"images": images, "seconds": taken}

    def _train_for(self, batch: int, steps: int) -> tuple[int, float]:
        self._contender.reset()
        repeats = -(-steps * batch // len(self._order))
        order = self._np.tile(self._order, repeats)[: steps * batch]
        start = time.perf_counter()
        self._contender.train(order, batch)
        return steps * batch, time.perf_counter() - start

    def _many(self, images):
        n, chunk = len(images), self._chunk
        if n <= chunk:
            return self._contender.probabilities(images)
        out = self._np.empty((n, 10), self._np.float32)
        for start in range(0, n, chunk):
            out[start : start + chunk] = self._contender.probabilities(images[start : start + chunk])
        return out

    def warm_inference(self, n: int, seconds: float) -> dict:
        """Find the best size of a pass."""
        self._contender.use_trained()
        best = {}
        chunks = [c for c in self._contender.chunks if c <= n] or [n]
        for chunk in chunks:
            self._chunk = chunk
            few = min(n, 1000)
            self._infer_for(few, 0.0)
            images, taken = self._infer_for(few, min(seconds, 0.2)) if len(chunks) > 1 else (1, 1.0)
            best[images / taken] = chunk
        self._chunk = best[max(best)]
        return {"chunk": self._chunk}

    def infer(self, n: int, seconds: float, chunk: int) -> dict:
        self._chunk = chunk
        images, taken = self._infer_for(n, seconds)
        return {"images": images, "seconds": taken}

    def _infer_for(self, n: int, seconds: float) -> tuple[int, float]:
        """Calls, each on other images, until the time is up; the clock is looked at now and then only."""
        calls, offset, look = 0, 0, 64 if n == 1 else 1
        last = len(self._test) - n
        start = time.perf_counter()
        while True:
            for _ in range(look):
                self._many(self._test[offset : offset + n])
                offset = offset + n if offset + n <= last else 0
            calls += look
            taken = time.perf_counter() - start
            if taken >= seconds:
                return calls * n, taken

    def close(self) -> None:
        """Give back the contender's processes."""
        self._contender.close()

    def memory(self) -> dict:
        return {"peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(implementation: str, layout: str, threads: str) -> None:
    """Serve until the pipe closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a framework prints must not end up among the answers
    server = None
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        try:
            if server is None:
                server = Server(implementation, layout, int(threads))
            answer = getattr(server, name)(**command)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    if server is not None:
        server.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
