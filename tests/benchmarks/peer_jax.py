"""JAX as a contender: the whole step jitted, parameters donated, layout "NCHW" or "NHWC".

`lax.scan` over the steps is not used: XLA runs convolutions inside loops far more slowly on the CPU.
C5 is the matrix product that it amounts to; pooling is a reshape and a sum, which XLA fuses.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import network
import numpy as np
from contender import LEARNING_RATE, Contender
from jax import lax

from lenet_gpu.paper import BACKGROUND, SQUASH_A, SQUASH_S


def squash(a):
    return SQUASH_A * jnp.tanh(SQUASH_S * a)


class Jax(Contender):
    """The threads are those of XLA's pool, which are as many as the cores that the process may use."""

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        super().__init__(layout, threads)
        self._last = layout == "NHWC"
        self._step = jax.jit(self._one_step, donate_argnums=0)

    def versions(self) -> dict[str, str]:
        import jaxlib

        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}

    def _to_layout(self, values):
        """Weights as the convolutions and products of this layout take them."""
        v = dict(values)
        c5 = v["c5.weight"]
        if self._last:
            v["c1.weight"], v["c3.weight"] = (v[k].transpose(2, 3, 1, 0) for k in ("c1.weight", "c3.weight"))
            c5 = c5.transpose(0, 2, 3, 1)
        v["c5.weight"] = c5.reshape(120, 400)
        for name in ("c5.weight", "f6.weight", "output.weight"):
            v[name] = v[name].T
        return {name: np.ascontiguousarray(value) for name, value in v.items()}

    def _from_layout(self, values):
        v = {name: np.array(value) for name, value in values.items()}
        for name in ("c5.weight", "f6.weight", "output.weight"):
            v[name] = v[name].T
        if self._last:
            v["c1.weight"], v["c3.weight"] = (v[k].transpose(3, 2, 0, 1) for k in ("c1.weight", "c3.weight"))
            v["c5.weight"] = v["c5.weight"].reshape(120, 5, 5, 16).transpose(0, 3, 1, 2)
        return v

    def load(self, images, labels, views) -> None:
        self._views = views
        self._images = jnp.asarray(network.padded(images))
        self._labels = jnp.asarray(labels.astype(np.int32))
        mask = network.c3_mask()
        self._mask = jnp.asarray(mask.transpose(2, 3, 1, 0) if self._last else mask)
        self.reset()

    def reset(self) -> None:
        values = {**self._views, "c3.weight": network.dense_c3(self._views["c3.weight"])}
        self._p = jax.block_until_ready({k: jnp.array(v) for k, v in self._to_layout(values).items()})

    def _maps(self, vector):
        return vector if self._last else vector[:, None, None]

    def _convolve(self, x, weight, padding=0):
        numbers = ("NHWC", "HWIO", "NHWC") if self._last else ("NCHW", "OIHW", "NCHW")
        pads = [(padding, padding)] * 2
        return lax.conv_general_dilated(x, weight, (1, 1), pads, dimension_numbers=numbers)

    def _sum_of_four(self, x):
        n, *shape = x.shape
        if self._last:
            h, w, c = shape
            return x.reshape(n, h // 2, 2, w // 2, 2, c).sum((2, 4))
        c, h, w = shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).sum((3, 5))

    def _loss(self, p, x, y):
        x = x.astype(jnp.float32) * network.SCALE + BACKGROUND
        x = x[..., None] if self._last else x[:, None]
        x = squash(self._convolve(x, p["c1.weight"]) + self._maps(p["c1.bias"]))
        x = squash(self._sum_of_four(x) * self._maps(p["s2.coefficient"]) + self._maps(p["s2.bias"]))
        x = squash(self._convolve(x, p["c3.weight"]) + self._maps(p["c3.bias"]))
        x = squash(self._sum_of_four(x) * self._maps(p["s4.coefficient"]) + self._maps(p["s4.bias"]))
        x = squash(x.reshape(len(x), -1) @ p["c5.weight"] + p["c5.bias"])
        x = squash(x @ p["f6.weight"] + p["f6.bias"])
        log_p = jax.nn.log_softmax(x @ p["output.weight"] + p["output.bias"])
        return -jnp.take_along_axis(log_p, y[:, None], 1).mean()

    def _one_step(self, p, images, labels, index):
        loss, gradients = jax.value_and_grad(self._loss)(p, images[index], labels[index])
        gradients["c3.weight"] *= self._mask
        return {name: p[name] - LEARNING_RATE * gradients[name] for name in p}, loss

    def compile_training(self, batch: int) -> None:
        self.train(np.arange(2 * batch), batch)
        self.reset()

    def train(self, order, batch: int):
        p, losses, order = self._p, [], order.astype(np.int32)
        for start in range(0, len(order), batch):
            p, loss = self._step(p, self._images, self._labels, order[start : start + batch])
            losses.append(loss)
        self._p = jax.block_until_ready(p)
        return np.array(jax.device_get(losses))

    def parameters(self):
        return network.flat(self._from_layout(self._p))

    # ---- inference

    def ready_inference(self, sizes: tuple[int, ...], views) -> None:
        p = {k: jnp.asarray(v) for k, v in self._to_layout(network.inference_weights(views)).items()}

        @jax.jit
        def infer(images):
            x = images.astype(jnp.float32)
            x = x[..., None] if self._last else x[:, None]
            x = jnp.tanh(self._convolve(x, p["c1.weight"], 2) + self._maps(p["c1.bias"]))
            x = self._sum_of_four(x) * self._maps(p["s2.coefficient"] / 4)
            x = jnp.tanh(x + self._maps(p["s2.bias"]))
            x = jnp.tanh(self._convolve(x, p["c3.weight"]) + self._maps(p["c3.bias"]))
            x = self._sum_of_four(x) * self._maps(p["s4.coefficient"] / 4)
            x = jnp.tanh(x + self._maps(p["s4.bias"]))
            x = jnp.tanh(x.reshape(len(x), -1) @ p["c5.weight"] + p["c5.bias"])
            x = jnp.tanh(x @ p["f6.weight"] + p["f6.bias"])
            return jax.nn.softmax(x @ p["output.weight"] + p["output.bias"])

        self._infer = infer
        for n in sizes:
            self.probabilities(np.zeros((n, 28, 28), np.uint8))

    def probabilities(self, images):
        return np.asarray(self._infer(images))
