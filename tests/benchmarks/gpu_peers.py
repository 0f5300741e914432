"""The same network, data and update rule in other frameworks, written to be fast in them.

Every peer keeps the uint8 training set and the order on its device and gathers there; float32 without TF32; plain
gradient descent; no step waits for the host. C3 is a dense convolution held to Table I (a mask), C5 a dense product.
Of each framework several variants run, and the fastest stands for it. Imported only when a peer is asked for.
"""

from __future__ import annotations

import os

import numpy as np

from lenet_gpu.paper import BACKGROUND, C3_TABLE, INK, SQUASH_A, SQUASH_S

SCALE = (INK - BACKGROUND) / 255.0
SHAPES = {"c1": (6, 1, 5, 5), "c3": (16, 6, 5, 5), "c5": (120, 16, 5, 5), "f6": (84, 120), "output": (10, 84)}

GRAPH_STEPS = 10
"""Steps in a CUDA graph of PyTorch."""


def table_mask():
    """Table I as zeros and ones, (16, 6, 1, 1)."""
    mask = np.zeros((16, 6, 1, 1), np.float32)
    for output, inputs in enumerate(C3_TABLE):
        mask[output, list(inputs)] = 1.0
    return mask


def parameters_of(views):
    """Host arrays by name, as every peer starts from them: C3's weights dense, C5's a matrix."""
    found = {name: np.array(view, dtype=np.float32) for name, view in views.items()}
    dense = np.zeros(SHAPES["c3"], np.float32)
    pairs = [(output, i) for output, inputs in enumerate(C3_TABLE) for i in inputs]
    for (output, i), kernel in zip(pairs, found["c3.weight"], strict=True):
        dense[output, i] = kernel
    found["c3.weight"] = dense
    if "c5.weight" in found:
        found["c5.weight"] = found["c5.weight"].reshape(120, 400)
    return found


class TorchPeer:
    """PyTorch.

    Args:
        device: "cuda" or "cpu".
        how: "eager": step by step; "graph": ten steps in a CUDA graph; "compile": the same of the compiled step. The
            CPU has no graphs and runs step by step.
        convolution: "conv2d"; "channels_last": the same in that memory format; "unfold": patches and a product.
    """

    framework = "PyTorch"
    whole_epochs = False

    def __init__(self, device, how="graph", convolution="conv2d"):
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.torch, self.device, self.how, self.convolution = torch, device, how, convolution
        words = {"eager": "", "graph": ", ten steps a graph", "compile": ", max-autotune, ten steps a graph"}[how]
        self.name = f"PyTorch{words}{'' if convolution == 'conv2d' else f', {convolution}'}"

    def prepare(self, images, labels, views, order, learning_rate):
        """Everything onto the device, and the graph captured; `order` (steps, batch) are indices."""
        torch, device = self.torch, self.device
        self.images = torch.as_tensor(images, device=device)
        self.labels = torch.as_tensor(labels.astype(np.int64), device=device)
        self.order = torch.as_tensor(np.ascontiguousarray(order, dtype=np.int64), device=device)
        self.mask = torch.as_tensor(table_mask(), device=device)
        self.p = {name: torch.tensor(v, device=device) for name, v in parameters_of(views).items()}
        if self.convolution == "channels_last":
            for name in ("c1.weight", "c3.weight"):
                self.p[name] = self.p[name].contiguous(memory_format=torch.channels_last)
        for tensor in self.p.values():
            tensor.requires_grad_(self.how != "compile")
        self.learning_rate, self.answers = learning_rate, {}
        self.step = self._step
        if self.how == "compile":
            # One graph of forward, backward and update; its kernels are captured here, not by torch.compile.
            self.step = torch.compile(
                self._functional_step, mode="max-autotune-no-cudagraphs", dynamic=False, fullgraph=True
            )
        self.graph = None
        if self.how != "eager" and device == "cuda":
            self._capture()

    def _capture(self):
        torch, before = self.torch, {name: p.detach().clone() for name, p in self.p.items()}
        self.rows = self.order[:GRAPH_STEPS].clone()
        self.results = torch.zeros(GRAPH_STEPS, device=self.device)
        self._on_a_side_stream(lambda: [self.step(row) for row in self.rows])
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for k in range(GRAPH_STEPS):
                self.results[k].copy_(self.step(self.rows[k]))
        with torch.no_grad():
            for name, p in self.p.items():
                p.copy_(before[name])
        torch.cuda.synchronize()

    def _on_a_side_stream(self, work):
        """Some times on another stream, before a capture, as PyTorch asks for."""
        torch = self.torch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()

    def _convolve(self, x, weight, bias):
        functional = self.torch.nn.functional
        if self.convolution != "unfold":
            return functional.conv2d(x, weight, bias)
        out = self.torch.matmul(weight.reshape(len(weight), -1), functional.unfold(x, 5)) + bias[:, None]
        size = x.shape[2] - 4
        return out.reshape(len(x), -1, size, size)

    def _forward(self, p, images):
        torch, functional = self.torch, self.torch.nn.functional

        def squash(a):
            return SQUASH_A * torch.tanh(SQUASH_S * a)

        def subsample(x, name):
            shape = (1, -1, 1, 1)
            coefficient, bias = p[f"{name}.coefficient"], p[f"{name}.bias"]
            return squash(functional.avg_pool2d(x, 2) * (4.0 * coefficient).reshape(shape) + bias.reshape(shape))

        x = images[:, None].float() * SCALE + BACKGROUND
        x = functional.pad(x, (2, 2, 2, 2), value=BACKGROUND)
        if self.convolution == "channels_last":
            x = x.contiguous(memory_format=torch.channels_last)
        x = subsample(squash(self._convolve(x, p["c1.weight"], p["c1.bias"])), "s2")
        x = subsample(squash(self._convolve(x, p["c3.weight"], p["c3.bias"])), "s4")
        x = x.contiguous().flatten(1)
        x = squash(functional.linear(x, p["c5.weight"], p["c5.bias"]))
        x = squash(functional.linear(x, p["f6.weight"], p["f6.bias"]))
        return functional.linear(x, p["output.weight"], p["output.bias"])

    def _loss(self, p, index):
        return self.torch.nn.functional.cross_entropy(self._forward(p, self.images[index]), self.labels[index])

    def _step(self, index):
        torch, names = self.torch, list(self.p)
        loss = self._loss(self.p, index)
        parameters = list(self.p.values())
        gradients = list(torch.autograd.grad(loss, parameters))
        gradients[names.index("c3.weight")] *= self.mask
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-self.learning_rate)
        return loss.detach()

    def _functional_step(self, index):
        gradients, loss = self.torch.func.grad_and_value(self._loss)(self.p, index)
        for name, p in self.p.items():
            g = gradients[name] * self.mask if name == "c3.weight" else gradients[name]
            p.sub_(g, alpha=self.learning_rate)
        return loss

    def train(self, steps):
        """Enqueue the first steps of the order, a multiple of `GRAPH_STEPS`; nothing comes back."""
        return self._train(steps, keep=False)

    def _train(self, steps, keep):
        kept = []
        if self.graph is None:
            for row in self.order[:steps]:
                loss = self.step(row)
                if keep:
                    kept.append(loss.reshape(1))
        else:
            for start in range(0, steps, GRAPH_STEPS):
                self.rows.copy_(self.order[start : start + GRAPH_STEPS])
                self.graph.replay()
                if keep:
                    kept.append(self.results.clone())
        return kept

    def losses(self, steps):
        """Train and read back the loss of each step."""
        return self.torch.cat(self._train(steps, keep=True)).cpu().numpy().astype(float)

    def prepare_inference(self, chunk):
        """Capture inference of so many images."""
        torch = self.torch
        self.chunk, self.part = chunk, self.images[:chunk].clone()
        if self.device == "cpu":
            return
        with torch.no_grad():
            self._on_a_side_stream(lambda: self._forward(self.p, self.part))
            self.reading = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.reading):
                self.scores = self._forward(self.p, self.part)

    def _read(self, images):
        """Scores of a chunk, on the device."""
        if self.device == "cpu" or len(images) != self.chunk:
            with self.torch.no_grad():
                return self._forward(self.p, images)
        self.part.copy_(images)
        self.reading.replay()
        return self.scores

    def infer(self, count):
        """Enqueue inference of the first images of the resident set."""
        for start in range(0, count, self.chunk):
            self._read(self.images[start : start + self.chunk])

    def infer_host(self, images):
        """Scores on the host of uint8 images on the host."""
        torch = self.torch
        there = torch.as_tensor(images, device=self.device)
        scores = torch.empty((len(images), 10), device=self.device)
        for start in range(0, len(images), self.chunk):
            scores[start : start + self.chunk] = self._read(there[start : start + self.chunk])
        return scores.cpu().numpy()

    def synchronize(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()


class JaxPeer:
    """JAX.

    Args:
        how: "jit": a compiled step; "scan": lax.scan over many steps.
        unroll: Steps that the loop of the scan holds.
        convolution: "conv"; "patches": shifted copies and a product.
    """

    framework = "JAX"
    whole_epochs = False

    def __init__(self, how="scan", unroll=1, convolution="conv"):
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # others need memory, too
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
        self.jax, self.how, self.unroll, self.convolution = jax, how, unroll, convolution
        extra = f", {unroll} steps unrolled" if unroll > 1 else ""
        self.name = f"JAX, {'jit' if how == 'jit' else 'lax.scan'}{extra}" + (
            "" if convolution == "conv" else f", {convolution}"
        )

    def prepare(self, images, labels, views, order, learning_rate):
        """Everything onto the device; compiled when first called."""
        jax, numpy = self.jax, self.jax.numpy
        self.images, self.labels = numpy.asarray(images), numpy.asarray(labels.astype(np.int32))
        self.p = {name: numpy.asarray(value) for name, value in parameters_of(views).items()}
        self.mask, self.last = numpy.asarray(table_mask()), None
        from gpu_timing import unit_of

        steps, batch_size = order.shape
        unit = 1 if self.how == "jit" else min(unit_of(len(images), batch_size), steps)
        rows = numpy.asarray(np.ascontiguousarray(order, dtype=np.int32))
        self.unit, self.pieces = unit, [rows[k : k + unit] for k in range(0, steps // unit * unit, unit)]
        value_and_grad = jax.value_and_grad(self._loss)

        def step(p, images, labels, index):
            loss, gradients = value_and_grad(p, images[index], labels[index])
            return jax.tree.map(lambda w, g: w - learning_rate * g, p, gradients), loss

        def many(p, images, labels, rows):
            return jax.lax.scan(lambda p, index: step(p, images, labels, index), p, rows, unroll=self.unroll)

        def one(p, images, labels, rows):
            p, loss = step(p, images, labels, rows[0])
            return p, loss[None]

        self.go = jax.jit(one if self.how == "jit" else many, donate_argnums=0)

    def _convolve(self, x, weight, bias):
        jax, numpy = self.jax, self.jax.numpy
        if self.convolution == "conv":
            return jax.lax.conv(x, weight, (1, 1), "VALID") + bias[:, None, None]
        n, maps, size = len(x), x.shape[1], x.shape[2] - 4
        parts = [x[:, :, u : u + size, v : v + size] for u in range(5) for v in range(5)]
        columns = numpy.stack(parts, 2).reshape(n, maps * 25, size * size)
        out = numpy.einsum("ok,bkl->bol", weight.reshape(len(weight), -1), columns) + bias[:, None]
        return out.reshape(n, -1, size, size)

    def _forward(self, p, images):
        numpy = self.jax.numpy

        def squash(a):
            return SQUASH_A * numpy.tanh(SQUASH_S * a)

        def subsample(x, name):
            n, maps, height, width = x.shape
            z = x.reshape(n, maps, height // 2, 2, width // 2, 2).sum((3, 5))
            return squash(z * p[f"{name}.coefficient"][:, None, None] + p[f"{name}.bias"][:, None, None])

        x = images[:, None].astype(numpy.float32) * SCALE + BACKGROUND
        x = numpy.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=BACKGROUND)
        x = subsample(squash(self._convolve(x, p["c1.weight"], p["c1.bias"])), "s2")
        x = subsample(squash(self._convolve(x, p["c3.weight"] * self.mask, p["c3.bias"])), "s4")
        x = squash(x.reshape(len(images), -1) @ p["c5.weight"].T + p["c5.bias"])
        x = squash(x @ p["f6.weight"].T + p["f6.bias"])
        return x @ p["output.weight"].T + p["output.bias"]

    def _loss(self, p, images, labels):
        log_p = self.jax.nn.log_softmax(self._forward(p, images))
        return -self.jax.numpy.take_along_axis(log_p, labels[:, None], axis=1).mean()

    def train(self, steps):
        """Enqueue the first steps of the order, a multiple of the piece; nothing comes back."""
        for rows in self.pieces[: steps // self.unit]:
            self.p, self.last = self.go(self.p, self.images, self.labels, rows)

    def losses(self, steps):
        """Train and read back the loss of each step."""
        found = []
        for rows in self.pieces[: -(-steps // self.unit)]:
            self.p, losses = self.go(self.p, self.images, self.labels, rows)
            found.append(np.asarray(losses, dtype=float))
        return np.concatenate(found)[:steps]

    def prepare_inference(self, chunk):
        """Compile inference of so many images."""
        jax = self.jax
        self.chunk = chunk
        self.answer = jax.jit(self._forward)
        self.part = jax.jit(lambda images, start: jax.lax.dynamic_slice_in_dim(images, start, chunk))

    def infer(self, count):
        """Enqueue inference of the first images of the resident set."""
        for start in range(0, count - self.chunk + 1, self.chunk):
            self.last = self.answer(self.p, self.part(self.images, start))

    def infer_host(self, images):
        """Scores on the host of uint8 images on the host."""
        there = self.jax.numpy.asarray(images)
        parts = [self.answer(self.p, there[k : k + self.chunk]) for k in range(0, len(images), self.chunk)]
        return np.asarray(self.jax.numpy.concatenate(parts))

    def synchronize(self):
        self.jax.block_until_ready((self.p, self.last))
