"""PyTorch as a contender: eager, torch.compile of the whole step, and traced for inference.

The step is functional: gather, conversion, forward, backward and update in one function over plain tensors.
The C3 table is a dense convolution whose unconnected kernels are zero and whose gradient is masked. C5 is the
matrix product that it amounts to. Layout "channels_last" or "contiguous".
"""

from __future__ import annotations

import network
import numpy as np
import torch
from contender import LEARNING_RATE, Contender
from torch._inductor import config
from torch.nn import functional as F

from lenet_gpu.paper import BACKGROUND, SQUASH_A, SQUASH_S

C3 = network.NAMES.index("c3.weight")


def squash(a):
    return SQUASH_A * torch.tanh(SQUASH_S * a)


class Torch(Contender):
    """Implementations "torch-eager", "torch-compile", and for inference also "torch-trace"."""

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        super().__init__(layout, threads)
        torch.set_num_threads(threads)
        self._kind = implementation.removeprefix("torch-")
        self._last = layout == "channels_last"
        self._steps: dict[int, object] = {}
        self._programs: dict[int, object] = {}
        if self._kind == "compile":
            self.chunks = (250, 1000)  # each size is compiled for itself

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def _tensor(self, value):
        tensor = torch.from_numpy(np.array(value))
        if tensor.ndim == 4 and self._last:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def _flatten_c5(self, weight):
        """(120, 16, 5, 5) -> (120, 400) in the order in which `_flatten` leaves S4's units."""
        return np.ascontiguousarray(weight.transpose(0, 2, 3, 1) if self._last else weight).reshape(120, 400)

    def _flatten(self, x):
        return (x.permute(0, 2, 3, 1) if self._last else x).flatten(1)

    def load(self, images, labels, views) -> None:
        self._views = views
        self._images = self._tensor(network.padded(images)[:, None])
        self._labels = torch.from_numpy(labels.astype(np.int64))
        self._mask = torch.from_numpy(network.c3_mask())
        self.reset()

    def reset(self) -> None:
        values = {
            **self._views,
            "c3.weight": network.dense_c3(self._views["c3.weight"]),
            "c5.weight": self._flatten_c5(self._views["c5.weight"]),
        }
        fresh = [self._tensor(values[name]) for name in network.NAMES]
        if hasattr(self, "_p"):
            with torch.no_grad():
                for tensor, value in zip(self._p, fresh, strict=True):
                    tensor.copy_(value)
        else:
            self._p = [tensor.requires_grad_(self._kind == "eager") for tensor in fresh]

    def _loss(self, p, x, y):
        w1, b1, k2, b2, w3, b3, k4, b4, w5, b5, w6, b6, w7, b7 = p
        x = x.to(torch.float32) * network.SCALE + BACKGROUND
        x = squash(F.conv2d(x, w1, b1))
        x = squash(F.avg_pool2d(x, 2) * (4.0 * k2)[:, None, None] + b2[:, None, None])
        x = squash(F.conv2d(x, w3, b3))
        x = squash(F.avg_pool2d(x, 2) * (4.0 * k4)[:, None, None] + b4[:, None, None])
        x = squash(F.linear(self._flatten(x), w5, b5))
        x = squash(F.linear(x, w6, b6))
        return F.cross_entropy(F.linear(x, w7, b7), y)

    def _eager_step(self, p, index):
        loss = self._loss(p, self._images.index_select(0, index), self._labels.index_select(0, index))
        gradients = list(torch.autograd.grad(loss, p))
        with torch.no_grad():
            gradients[C3] *= self._mask
            torch._foreach_add_(p, gradients, alpha=-LEARNING_RATE)  # all updates in one call
        return loss.detach()

    def _functional_step(self, p, images, labels, index):
        x, y = images.index_select(0, index), labels.index_select(0, index)
        gradients, loss = torch.func.grad_and_value(self._loss)(p, x, y)
        for i, (weight, gradient) in enumerate(zip(p, gradients, strict=True)):
            weight.sub_(LEARNING_RATE * (gradient * self._mask if i == C3 else gradient))
        return loss

    def _step(self, batch: int):
        if self._kind == "eager":
            return self._eager_step
        if batch not in self._steps:
            torch._dynamo.reset()
            compiled = torch.compile(self._functional_step, fullgraph=True, dynamic=False)
            self._steps[batch] = lambda p, index: compiled(p, self._images, self._labels, index)
        return self._steps[batch]

    def compile_training(self, batch: int) -> None:
        step = self._step(batch)
        for _ in range(2):
            step(self._p, torch.arange(batch))
        self.reset()

    def train(self, order, batch: int):
        step, p = self._step(batch), self._p
        losses = [step(p, index) for index in torch.from_numpy(order).split(batch)]
        return torch.stack(losses).numpy()

    def parameters(self):
        values = {name: p.detach().numpy() for name, p in zip(network.NAMES, self._p, strict=True)}
        c5 = values["c5.weight"]
        c5 = c5.reshape(120, 5, 5, 16).transpose(0, 3, 1, 2) if self._last else c5
        return network.flat({**values, "c5.weight": c5})

    # ---- inference

    def _network(self, views):
        folded = network.inference_weights(views)
        folded["c5.weight"] = self._flatten_c5(folded["c5.weight"])
        return Folded([self._tensor(folded[name]) for name in network.NAMES], self._flatten, self._last).eval()

    def ready_inference(self, sizes: tuple[int, ...], views) -> None:
        for n in sizes:
            example = torch.zeros(n, 28, 28, dtype=torch.uint8)
            with torch.inference_mode():
                model = self._network(views)
                if self._kind == "trace":
                    model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, example)))
                elif self._kind == "compile":
                    config.freezing = True  # weights become constants, packed for oneDNN
                    torch._dynamo.reset()
                    model = torch.compile(model, fullgraph=True, dynamic=False)
                for _ in range(3):
                    model(example)
            self._programs[n] = model
        if self._kind == "compile":
            config.freezing = False

    def probabilities(self, images):
        with torch.inference_mode():
            return self._programs[len(images)](torch.from_numpy(images)).numpy()


class Folded(torch.nn.Module):
    """The network for inference, with the weights of `network.inference_weights`."""

    def __init__(self, weights, flatten, last) -> None:
        super().__init__()
        self._flatten, self._last = flatten, last
        for name, weight in zip(network.NAMES, weights, strict=True):
            if name.startswith(("s2", "s4")):
                weight = weight[:, None, None].clone()
            self.register_buffer(name.replace(".", "_"), weight)

    def forward(self, images):
        x = images[:, None].to(torch.float32)
        if self._last:
            x = x.contiguous(memory_format=torch.channels_last)
        x = torch.tanh(F.conv2d(x, self.c1_weight, self.c1_bias, padding=2))
        x = torch.tanh(torch.addcmul(self.s2_bias, F.avg_pool2d(x, 2), self.s2_coefficient))
        x = torch.tanh(F.conv2d(x, self.c3_weight, self.c3_bias))
        x = torch.tanh(torch.addcmul(self.s4_bias, F.avg_pool2d(x, 2), self.s4_coefficient))
        x = torch.tanh(F.linear(self._flatten(x), self.c5_weight, self.c5_bias))
        x = torch.tanh(F.linear(x, self.f6_weight, self.f6_bias))
        return torch.softmax(F.linear(x, self.output_weight, self.output_bias), 1)
