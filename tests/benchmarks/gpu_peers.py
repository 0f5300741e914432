"""The same network, data and update rule in other frameworks, written as their users would.

Every peer keeps the uint8 training set on its device and takes indices; float32 without TF32; plain gradient descent.
C3 is a dense convolution whose weights are multiplied by Table I. Imported only when a peer is asked for.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.paper import BACKGROUND, C3_TABLE, INK, SQUASH_A, SQUASH_S

SCALE = (INK - BACKGROUND) / 255.0
SHAPES = {"c1": (6, 1, 5, 5), "c3": (16, 6, 5, 5), "c5": (120, 16, 5, 5), "f6": (84, 120), "output": (10, 84)}


def table_mask():
    """Table I as zeros and ones, (16, 6, 1, 1)."""
    mask = np.zeros((16, 6, 1, 1), np.float32)
    for output, inputs in enumerate(C3_TABLE):
        mask[output, list(inputs)] = 1.0
    return mask


def parameters_of(views):
    """Host arrays by name, as every peer starts from them; C3's weights dense."""
    found = {name: np.array(view, dtype=np.float32) for name, view in views.items()}
    dense = np.zeros(SHAPES["c3"], np.float32)
    pairs = [(output, i) for output, inputs in enumerate(C3_TABLE) for i in inputs]
    for (output, i), kernel in zip(pairs, found["c3.weight"], strict=True):
        dense[output, i] = kernel
    found["c3.weight"] = dense
    return found


class TorchPeer:
    """PyTorch: eager, or a CUDA graph of one step, or the step compiled.

    Args:
        how: "eager", "graph" or "compile".
        device: "cuda" or "cpu".
    """

    def __init__(self, how, device):
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.torch, self.how, self.device = torch, how, device
        self.name = {"eager": "PyTorch", "graph": "PyTorch, CUDA graph", "compile": "PyTorch, max-autotune"}[how]

    def prepare(self, images, labels, views, batch_size, learning_rate):
        torch = self.torch
        self.images = torch.as_tensor(images, device=self.device)
        self.labels = torch.as_tensor(labels.astype(np.int64), device=self.device)
        self.mask = torch.as_tensor(table_mask(), device=self.device)
        self.p = {
            name: torch.tensor(value, device=self.device, requires_grad=True)
            for name, value in parameters_of(views).items()
        }
        self.learning_rate = learning_rate
        self.index = torch.zeros(batch_size, dtype=torch.int64, device=self.device)
        self.take, self.answer = self._step, self._outputs
        if self.how == "compile":
            self.take = torch.compile(self._step, mode="max-autotune", dynamic=False)
            self.answer = torch.compile(self._outputs, mode="max-autotune", dynamic=False)
        if self.how == "graph":
            self._capture()

    def _capture(self):
        torch, before = self.torch, {name: p.detach().clone() for name, p in self.p.items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._step(self.index)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = self._step(self.index)
        with torch.no_grad():
            for name, p in self.p.items():
                p.copy_(before[name])

        def replay(index):
            self.index.copy_(index)
            self.graph.replay()
            return self.loss

        self.take = replay

    def _forward(self, images):
        functional, p = self.torch.nn.functional, self.p

        def squash(a):
            return SQUASH_A * self.torch.tanh(SQUASH_S * a)

        def subsample(x, name):
            z = functional.avg_pool2d(x, 2) * 4.0
            shape = (1, -1, 1, 1)
            return squash(z * p[f"{name}.coefficient"].reshape(shape) + p[f"{name}.bias"].reshape(shape))

        x = images[:, None].float() * SCALE + BACKGROUND
        x = functional.pad(x, (2, 2, 2, 2), value=BACKGROUND)
        x = subsample(squash(functional.conv2d(x, p["c1.weight"], p["c1.bias"])), "s2")
        x = subsample(squash(functional.conv2d(x, p["c3.weight"] * self.mask, p["c3.bias"])), "s4")
        x = squash(functional.conv2d(x, p["c5.weight"], p["c5.bias"])).flatten(1)
        x = squash(functional.linear(x, p["f6.weight"], p["f6.bias"]))
        return functional.linear(x, p["output.weight"], p["output.bias"])

    def _step(self, index):
        torch = self.torch
        logits = self._forward(self.images[index])
        loss = torch.nn.functional.cross_entropy(logits, self.labels[index])
        gradients = torch.autograd.grad(loss, list(self.p.values()))
        with torch.no_grad():
            torch._foreach_add_(list(self.p.values()), list(gradients), alpha=-self.learning_rate)
        return loss.detach()

    def _outputs(self, images):
        with self.torch.no_grad():
            return self._forward(images)

    def train(self, order):
        """Enqueue steps (steps, batch) of indices; the losses, still on the device."""
        rows = self.torch.as_tensor(order, device=self.device)
        return [self.take(row).clone() for row in rows]

    def losses(self, order):
        return np.array([float(loss) for loss in self.train(order)])

    def infer(self, count, batch_size):
        for start in range(0, count - batch_size + 1, batch_size):
            self.answer(self.images[start : start + batch_size])

    def synchronize(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()


class JaxPeer:
    """JAX: a jitted step, or lax.scan over all steps.

    Args:
        how: "jit" or "scan".
    """

    def __init__(self, how):
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
        self.jax, self.how = jax, how
        self.name = {"jit": "JAX, jit", "scan": "JAX, lax.scan"}[how]

    def prepare(self, images, labels, views, batch_size, learning_rate):
        jax, numpy = self.jax, self.jax.numpy
        self.images, self.labels = numpy.asarray(images), numpy.asarray(labels.astype(np.int32))
        self.p = {name: numpy.asarray(value) for name, value in parameters_of(views).items()}
        self.mask, self.last = numpy.asarray(table_mask()), None
        value_and_grad = jax.value_and_grad(self._loss)

        def step(p, images, labels, index):
            loss, gradients = value_and_grad(p, images[index], labels[index])
            return jax.tree.map(lambda w, g: w - learning_rate * g, p, gradients), loss

        def epoch(p, images, labels, order):
            return jax.lax.scan(lambda p, index: step(p, images, labels, index), p, order)

        self.step, self.epoch = jax.jit(step, donate_argnums=0), jax.jit(epoch, donate_argnums=0)
        self.answer = jax.jit(self._forward)

    def _forward(self, p, images):
        jax, numpy = self.jax, self.jax.numpy

        def squash(a):
            return SQUASH_A * numpy.tanh(SQUASH_S * a)

        def convolve(x, weight, bias):
            return jax.lax.conv(x, weight, (1, 1), "VALID") + bias[:, None, None]

        def subsample(x, name):
            n, maps, height, width = x.shape
            z = x.reshape(n, maps, height // 2, 2, width // 2, 2).sum((3, 5))
            return squash(z * p[f"{name}.coefficient"][:, None, None] + p[f"{name}.bias"][:, None, None])

        x = images[:, None].astype(numpy.float32) * SCALE + BACKGROUND
        x = numpy.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=BACKGROUND)
        x = subsample(squash(convolve(x, p["c1.weight"], p["c1.bias"])), "s2")
        x = subsample(squash(convolve(x, p["c3.weight"] * self.mask, p["c3.bias"])), "s4")
        x = squash(convolve(x, p["c5.weight"], p["c5.bias"])).reshape(len(images), -1)
        x = squash(x @ p["f6.weight"].T + p["f6.bias"])
        return x @ p["output.weight"].T + p["output.bias"]

    def _loss(self, p, images, labels):
        log_p = self.jax.nn.log_softmax(self._forward(p, images))
        return -self.jax.numpy.take_along_axis(log_p, labels[:, None], axis=1).mean()

    def train(self, order):
        """Enqueue steps (steps, batch) of indices; the losses, still on the device."""
        rows = self.jax.numpy.asarray(order)
        if self.how == "scan":
            self.p, losses = self.epoch(self.p, self.images, self.labels, rows)
        else:
            losses = []
            for row in rows:
                self.p, loss = self.step(self.p, self.images, self.labels, row)
                losses.append(loss)
        self.last = losses
        return losses

    def losses(self, order):
        return np.array(self.train(order), dtype=float)

    def infer(self, count, batch_size):
        for start in range(0, count - batch_size + 1, batch_size):
            self.last = self.answer(self.p, self.images[start : start + batch_size])

    def synchronize(self):
        self.jax.block_until_ready((self.p, self.last))
