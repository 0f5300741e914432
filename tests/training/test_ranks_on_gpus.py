"""Ranks with a GPU each, on stand-ins for CuPy and NCCL."""

import types
from dataclasses import dataclass

import numpy as np
import pytest
from stand_in import nccl, strict_cupy
from stand_in.strict_cupy import StrictBackend
from thread_ranks import on_ranks

from lenet_gpu import LeNet5
from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.commands.options import device_list
from lenet_gpu.commands.training_run import chosen_device
from lenet_gpu.engine.ranked_layers import NcclGather, RankedLayers
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.optim import Nesterov


class Module:
    """The stand-in for CuPy with one for NCCL in it."""

    cuda = types.SimpleNamespace(**{**vars(strict_cupy.xp.cuda), "nccl": nccl})

    def __getattr__(self, name):
        return getattr(strict_cupy.xp, name)


@dataclass(frozen=True)
class NcclBackend(StrictBackend):
    @property
    def xp(self):
        return Module()


def start(mnist, distorted, ranks=None):
    network = LeNet5(backend=NcclBackend(), seed=2, initialisation="lecun")
    optimizer = Nesterov(momentum=0.9)
    optimizer.prepare(network)
    engine = make_engine(network, optimizer, "auto" if ranks else "layered", ranks=ranks)
    assert isinstance(engine, RankedLayers) == (ranks is not None)
    engine.load(mnist.train.images[:200], mnist.train.labels[:200])
    order = np.random.default_rng(3).permutation(200)[:37]  # the last batch has fewer images than portions
    distortions = STANDARD.draw(1, 1, 37) if distorted else None
    losses = engine.train(order, 32, np.full(2, 0.02), None, distortions)
    return losses, network.host_parameters(), engine.outputs(mnist.test.images[:510])


@pytest.mark.parametrize("distorted", [False, True])
def test_any_number_of_devices_gives_the_same_bytes_and_the_layers_numbers(mnist, distorted):
    def ranked(ranks):
        return start(mnist, distorted, ranks)

    expected = start(mnist, distorted)
    one = on_ranks(1, ranked)[0]
    for found in on_ranks(3 if distorted else 2, ranked):
        assert [array.tobytes() for array in found] == [array.tobytes() for array in one]
    for ours, oracle in zip(one, expected, strict=True):
        np.testing.assert_allclose(ours, oracle, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("form", [bytes, tuple])
def test_ranks_find_each_other_by_the_first_ones_id(form, monkeypatch):
    """CuPy has given the id as 128 numbers, and gives it as bytes."""
    if form is tuple:
        original, communicator = nccl.get_unique_id, nccl.NcclCommunicator
        monkeypatch.setattr(nccl, "get_unique_id", lambda: tuple(np.frombuffer(original(), np.int8).tolist()))
        monkeypatch.setattr(
            nccl, "NcclCommunicator",
            lambda size, name, rank: communicator(size, np.array(name, np.int8).tobytes(), rank),
        )  # fmt: skip
    xp = Module()

    def gathered(ranks):
        rows = xp.zeros((4, 3), dtype="float32")
        own = slice(0, 1) if ranks.rank == 0 else slice(1, 4)
        rows[own] = 1.0 + ranks.rank
        NcclGather(ranks, xp)(rows, [1, 3])
        return xp.asnumpy(rows).tolist()

    assert on_ranks(2, gathered) == [[[1.0] * 3] + [[2.0] * 3] * 3] * 2


def test_a_network_of_ones_own_is_refused():
    from lenet_gpu import Network, nn

    network = Network([nn.Flatten(), nn.Dense("out", 1024, 10)], backend=NcclBackend())
    ranks = types.SimpleNamespace(size=2)
    with pytest.raises(InputError, match=r"2 ranks: found .*; start it without mpiexec"):
        make_engine(network, None, ranks=ranks)


def test_each_rank_has_a_device_of_its_own():
    def options(devices=None, device=None, backend="gpu"):
        return types.SimpleNamespace(devices=devices, device=device, backend=backend)

    second = types.SimpleNamespace(local_rank=1, local_size=2)
    assert device_list("3,0") == [3, 0]
    assert chosen_device(options([3, 0]), second) == 0
    assert chosen_device(options(), second) == 1
    assert chosen_device(options(backend="cpu"), second) is None
    assert chosen_device(options(device=2), None) == 2
    assert chosen_device(options([5]), None) == 5
    for given, ranks in ((options([0, 1, 2]), second), (options([0, 1]), None)):
        with pytest.raises(InputError, match=r"one rank a device; start it with: mpiexec -n [23] python"):
            chosen_device(given, ranks)
