"""LeNet-5's parameters as named arrays: safetensors, a state for PyTorch, and .npz."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.export.plain import PlainNetwork

FACTS = "lenet_gpu"
"""Name of the facts among a safetensors file's metadata; in .npz they are the entry `meta`."""


def safetensors_bytes(plain: PlainNetwork) -> bytes:
    """Make a safetensors file of the parameters, by our names and in our shapes.

    Args:
        plain: The network.

    Raises:
        InputError: The package safetensors is not installed.
    """
    return _safetensors(dict(plain.parameters), plain)


def torch_bytes(plain: PlainNetwork) -> bytes:
    """Make a safetensors file that a PyTorch module's `load_state_dict` takes (see `torch_state`).

    Args:
        plain: The network.

    Raises:
        InputError: The package safetensors is not installed.
    """
    return _safetensors(torch_state(plain), plain)


def torch_state(plain: PlainNetwork) -> dict[str, np.ndarray]:
    """Give the parameters as the module in docs/howto/deploy.md names and shapes them.

    Args:
        plain: The network.

    Returns:
        Arrays by name: C3 dense, (16, 6, 5, 5), with zeros where Table I has no connection; coefficients and biases
        of S2 and S4 as (maps, 1, 1); `background` and `ink` (), which scale the input; `codes` (10, 84) of a network
        with RBF units.
    """
    state = {**plain.parameters, "c3.weight": plain.dense_c3()}
    for name in ("s2.coefficient", "s2.bias", "s4.coefficient", "s4.bias"):
        state[name] = state[name][:, None, None]  # (maps, 1, 1)
    state |= {"background": np.array(plain.background), "ink": np.array(plain.ink)}
    if plain.variant == "paper":
        from lenet_gpu.paper import CODES

        state["codes"] = np.array(CODES, np.float32)
    return {name: np.array(array, np.float32, order="C") for name, array in state.items()}


def npz_bytes(plain: PlainNetwork) -> bytes:
    """Make an .npz file of the parameters, by our names and in our shapes, with the facts as JSON in `meta`.

    Args:
        plain: The network.
    """
    entries: dict[str, Any] = {"meta": np.frombuffer(_json(plain).encode(), np.uint8), **plain.parameters}
    stream = io.BytesIO()
    np.savez(stream, **entries)
    return stream.getvalue()


def _safetensors(arrays: dict[str, np.ndarray], plain: PlainNetwork) -> bytes:
    try:
        from safetensors.numpy import save
    except ImportError:
        raise InputError(
            "export to safetensors", found="no package safetensors", expected="it, to write the file",
            remedy="pip install safetensors",
        ) from None  # fmt: skip
    return bytes(save(arrays, metadata={FACTS: _json(plain)}))


def _json(plain: PlainNetwork) -> str:
    return json.dumps(plain.facts, sort_keys=True)
