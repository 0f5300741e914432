"""What the CUDA engine refuses, and how it fails: in one line with a remedy, on the stand-in."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu.engines import N, make, train
from stand_in import cuda_cupy
from stand_in.cuda_cupy import CudaBackend, world

from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.backend.backend import NumpyBackend
from lenet_gpu.engine.cuda.device import covers
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.cuda.source import sizes
from lenet_gpu.errors import BackendError, InputError, TrainingError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD

pytestmark = pytest.mark.usefixtures("device")


# ---- what is covered


def test_covers_tells_what_the_device_can_not_do():
    backend = CudaBackend()
    network, paper = LeNet5(backend=backend), LeNet5("paper", backend)
    assert covers(network, backend) is covers(paper, backend) is None
    assert "'cpu'" in covers(LeNet5(), NumpyBackend())
    for variant in ("modern", "paper"):
        assert "float64" in covers(LeNet5(variant, backend, dtype="float64"), backend)
    world.shared_limit = sizes().shared_bytes
    assert covers(network, backend) is covers(paper, backend) is None
    more = LeNet5(backend=backend, classes=11)
    assert covers(more, backend) == (
        f"the GPU gives a block {sizes().shared_bytes} bytes of shared memory, "
        f"the kernels need {sizes(classes=more.classes).shared_bytes}"
    )


def test_a_network_or_an_optimiser_that_the_kernels_do_not_know_is_refused():
    """What differs is found by the comparison that all fast engines share."""

    class Momentum(SGD):
        """Another rule."""

    backend = CudaBackend()
    network = LeNet5(backend=backend)
    with pytest.raises(InputError, match=r"engine 'cuda': found .*Momentum.*'layered'"):
        CudaEngine(network, Momentum())
    network.loss = "map"
    with pytest.raises(InputError, match=r"engine 'cuda': found .*the loss.*'layered'"):
        CudaEngine(network, SGD())
    with pytest.raises(InputError, match=r"engine 'cuda': found .*'cpu'.*'layered'"):
        CudaEngine(LeNet5(), SGD())
    with pytest.raises(InputError, match=r"engine 'cuda': found .*float64.*'layered'"):
        CudaEngine(LeNet5(backend=backend, dtype="float64"), SGD())


# ---- errors


def test_no_memory_is_one_line_with_a_remedy(digits):
    engine = make(digits)
    before = engine.network.host_parameters()
    world.fail["allocate"] = cuda_cupy.OutOfMemoryError("Out of memory allocating 325,632,000 bytes")
    with pytest.raises(TrainingError, match=r"memory of the GPU.*325,632,000 bytes.*smaller batch size") as caught:
        train(engine)
    assert "\n" not in str(caught.value)
    world.fail.clear()
    assert np.array_equal(engine.network.host_parameters(), before)
    assert np.isfinite(train(engine)[0]).all()


def test_a_device_that_fails_is_one_line_with_a_remedy(digits):
    engine = make(digits)
    world.fail["synchronize"] = cuda_cupy.CUDARuntimeError("cudaErrorLaunchFailure: unspecified launch failure")
    with pytest.raises(TrainingError, match=r"GPU failed while training.*unspecified launch failure.*nvidia-smi"):
        train(engine)


def test_a_busy_device_is_one_line_with_a_remedy(digits):
    engine = make()
    world.fail["allocate"] = cuda_cupy.CUDARuntimeError("cudaErrorDevicesUnavailable: devices busy or unavailable")
    with pytest.raises(TrainingError, match=r"busy or unavailable.*nvidia-smi lists who holds the GPU"):
        engine.load(*digits)


@pytest.mark.parametrize(
    "error", [cuda_cupy.CompileException("no such architecture\nline 2"), RuntimeError("failed to load libnvrtc")]
)
def test_kernels_that_do_not_compile_are_one_line_with_a_remedy(error):
    world.fail["compile"] = error
    with pytest.raises(
        BackendError, match=r"CUDA kernels: found .*(architecture|libnvrtc).*engine 'layered'"
    ) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_failure_while_a_graph_is_captured_leaves_the_stream_usable(digits, monkeypatch):
    engine, calls = make(digits), []
    launch = cuda_cupy.RawKernel.__call__

    def seventh_fails(self, *args, **options):
        calls.append(self)
        if len(calls) == 7:
            raise KeyboardInterrupt
        launch(self, *args, **options)

    monkeypatch.setattr(cuda_cupy.RawKernel, "__call__", seventh_fails)
    with pytest.raises(KeyboardInterrupt):
        train(engine)
    monkeypatch.undo()
    assert not cuda_cupy.capturing()
    assert np.isfinite(train(engine)[0]).all()


def test_indices_beyond_the_training_set_are_refused(digits):
    engine = make(digits)
    for wrong in ([0, N], [-1, 3]):
        with pytest.raises(InputError, match=r"order: found .* expected 0 to 66"):
            engine.train(np.array(wrong), 2, np.array([0.1]))
    with pytest.raises(InputError, match="learning rates: found 2, expected 1"):
        engine.train(np.array([0, 1]), 2, np.array([0.1, 0.1]))
    with pytest.raises(InputError, match="call load first"):
        make().train(np.array([0]), 1, np.array([0.1]))
    assert engine.train(np.zeros(0, int), 2, np.zeros(0)).shape == (0,)


def test_distortions_that_the_kernels_could_not_follow_are_refused(digits):
    engine, rows = make(digits), STANDARD.draw(0, 1, 2)
    for wrong in (rows[:1], rows[:, :7]):
        with pytest.raises(InputError, match=r"distortions: found shape .* expected \(2, 8\)"):
            engine.train(np.array([0, 1]), 2, np.array([0.1]), distortions=wrong)
    for number in (-1, distort.FIELDS, np.nan):
        rows[1, 6] = number
        with pytest.raises(InputError, match=r"elastic fields: found .* expected 0 to 1023"):
            engine.train(np.array([0, 1]), 2, np.array([0.1]), distortions=rows)


def test_a_training_set_of_another_form_is_refused(digits):
    images, labels = digits
    with pytest.raises(InputError, match="uint8"):
        make((images / 255.0, labels))
    with pytest.raises(InputError, match="labels"):
        make((images, labels + 11))
    with pytest.raises(InputError, match="labels"):
        make((images, labels[1:]))
