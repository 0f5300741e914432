"""Backend selection: the fallback, the refusal, and what a backend does, with fake and broken CuPys."""

import pickle
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
from stand_in import fake_cupy

import lenet_gpu.backend.probe
from lenet_gpu.backend.backend import Backend, CupyBackend, NumpyBackend, cpu_name, select_backend
from lenet_gpu.backend.probe import ProbeResult, StageResult
from lenet_gpu.errors import BackendError, InputError, LenetError

each_failure = pytest.mark.parametrize("scenario", fake_cupy.BROKEN, ids=lambda scenario: scenario.name)


@each_failure
def test_auto_falls_back_in_one_line_and_gpu_refuses(scenario, tmp_path):
    ended = fake_cupy.run(scenario, tmp_path, "auto", "gpu")
    answer = fake_cupy.answer(ended)  # That of "auto": "gpu" ends before it computes.
    assert (answer["name"], answer["module"], answer["result"]) == ("cpu", "numpy", [24.0, 34.0])
    assert ended.returncode == 2
    fallback, refusal = ended.stderr.splitlines()
    assert fallback.startswith("computing on the CPU (stage ")
    assert refusal.startswith("backend 'gpu': found stage ")
    for line in fallback, refusal:
        assert f'stage "{scenario.stage}": ' in line
        assert scenario.detail in line
        assert scenario.remedy in line


def test_falling_back_is_no_failure(tmp_path):
    assert fake_cupy.run(fake_cupy.BROKEN[0], tmp_path, "auto").returncode == 0


@pytest.mark.parametrize("name", ["auto", "gpu"])
def test_a_working_cupy_is_chosen_in_silence(name, tmp_path):
    ended = fake_cupy.run(fake_cupy.WORKING, tmp_path, name)
    answer = fake_cupy.answer(ended)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (answer["name"], answer["module"]) == ("gpu", "cupy")
    assert answer["device_name"] == "Stand-in GPU"
    assert answer["array"] == "stand_in.strict_cupy"
    assert (answer["host"], answer["result"]) == ("numpy", [24.0, 34.0])
    assert answer["memory_used"] == 16  # The (2, 2) float32 array; the probe has left nothing behind.


@pytest.mark.parametrize("scenario", [fake_cupy.WORKING, fake_cupy.CRASHING], ids=lambda s: s.name)
def test_cpu_never_imports_cupy(scenario, tmp_path):
    ended = fake_cupy.run(scenario, tmp_path, "cpu")
    answer = fake_cupy.answer(ended)
    assert (ended.returncode, ended.stderr, answer["name"]) == (0, "", "cpu")
    assert answer["cupy_imported"] is False


@pytest.mark.parametrize("name", ["tpu", "CPU", "", None, 0, "gpu:", "gpu:x", "cpu:0", "gpu:-1"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(InputError) as caught:
        select_backend(name)
    assert str(caught.value) == f"backend: found {name!r}, expected 'auto', 'cpu', 'gpu' or 'gpu:N'"
    assert caught.value.exit_status == 2


def pretend(monkeypatch, *stages, **facts):
    result = ProbeResult(stages, facts)
    monkeypatch.setattr(lenet_gpu.backend.probe, "cached_probe", lambda: result)


def test_the_line_goes_to_whoever_announces(monkeypatch, capsys):
    pretend(monkeypatch, StageResult("kernel", "raw kernel", "failed", "OSError: no nvrtc", "mend it"))
    said = []
    assert select_backend("auto", announce=said.append) == NumpyBackend()
    assert said == ['computing on the CPU (stage "kernel": OSError: no nvrtc); mend it']
    assert capsys.readouterr() == ("", "")


def test_cpu_and_a_usable_gpu_announce_nothing(monkeypatch):
    pretend(monkeypatch, StageResult("installed", "", "ok"), device_name="NVIDIA H200")
    said = []
    assert select_backend("cpu", announce=said.append).name == "cpu"
    assert select_backend("auto", announce=said.append) == CupyBackend(device_name="NVIDIA H200")
    assert said == []


def test_the_refusal_is_an_error_of_ours_with_all_its_parts(monkeypatch):
    pretend(monkeypatch, StageResult("device", "", "failed", "CUDARuntimeError: gone", "plug it in"))
    with pytest.raises(BackendError) as caught:
        select_backend("gpu")
    assert isinstance(caught.value, LenetError)
    assert (caught.value.exit_status, caught.value.remedy) == (2, "plug it in")
    assert caught.value.found == 'stage "device": CUDARuntimeError: gone'


TWO = {"device_name": "NVIDIA H200", "devices": ["NVIDIA H200", "NVIDIA L4"]}


@pytest.mark.parametrize(("name", "device"), [("gpu:1", None), ("gpu", 1), ("auto", 1)])
def test_a_device_is_chosen_by_its_number(monkeypatch, name, device):
    pretend(monkeypatch, StageResult("installed", "", "ok"), **TWO)
    assert select_backend(name, device=device) == CupyBackend("NVIDIA L4", 1)


@pytest.mark.parametrize("visible", [None, "3,5"])
def test_a_device_that_does_not_exist_is_one_line_with_those_that_do(monkeypatch, visible):
    shown = {} if visible is None else {"cuda_visible_devices": visible}
    pretend(monkeypatch, StageResult("installed", "", "ok"), **TWO, **shown)
    with pytest.raises(BackendError) as caught:
        select_backend("gpu:2")
    assert caught.value.exit_status == 2
    assert str(caught.value) == "device: found 2, expected 0 (NVIDIA H200), 1 (NVIDIA L4)" + (
        "" if visible is None else "; CUDA_VISIBLE_DEVICES=3,5 decides which GPUs there are"
    )


def test_a_device_without_a_gpu_does_not_fall_back(monkeypatch):
    pretend(monkeypatch, StageResult("device", "", "failed", "no CUDA device", "plug it in"))
    with pytest.raises(BackendError, match="no CUDA device"):
        select_backend("auto", device=0)


@pytest.mark.parametrize(("name", "device"), [("cpu", 0), ("gpu", -1), ("gpu", True), ("gpu", "1")])
def test_what_is_no_device_is_refused(name, device):
    with pytest.raises(InputError, match=r"^device: found"):
        select_backend(name, device=device)


def test_each_backend_computes_on_its_own_device(monkeypatch):
    """The current device of CuPy is a matter of the thread: it is set by whoever computes."""
    current = threading.local()

    class Device:
        def __init__(self, number):
            self.number = number

        def use(self):
            current.number = self.number

    runtime = types.SimpleNamespace(getDevice=lambda: getattr(current, "number", 0))
    cupy = types.SimpleNamespace(cuda=types.SimpleNamespace(Device=Device, runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    first, second, default = CupyBackend("a", 0), CupyBackend("b", 1), CupyBackend("c")
    found = []

    def compute():
        for backend in (second, default, first, default, second):
            backend.use()
            assert backend.xp is cupy
            found.append(runtime.getDevice())

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert found == [1, 1, 0, 0, 1]
    assert runtime.getDevice() == 0


def test_a_program_without_standard_error_falls_back_in_silence(monkeypatch, capsys):
    pretend(monkeypatch, StageResult("installed", "", "failed", "CuPy is not installed", "install it"))
    monkeypatch.setattr("sys.stderr", None)
    assert select_backend("auto").name == "cpu"
    assert capsys.readouterr().out == ""


def test_backends_are_values():
    cpu = select_backend("cpu")
    assert cpu == NumpyBackend()
    assert hash(cpu) == hash(NumpyBackend())
    assert pickle.loads(pickle.dumps(cpu)) == cpu
    gpu = CupyBackend(device_name="NVIDIA H200")
    assert pickle.loads(pickle.dumps(gpu)) == gpu != cpu
    with pytest.raises(AttributeError):
        cpu.device_name = "another"


def test_the_interface_can_not_be_instantiated():
    with pytest.raises(TypeError, match="abstract"):
        Backend(device_name="nothing")


def test_numpy_backend():
    cpu = NumpyBackend()
    assert (cpu.name, cpu.xp, cpu.device_name) == ("cpu", np, cpu_name())
    assert cpu.device_name
    host = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert cpu.asarray(host) is host
    assert cpu.to_host(host) is host
    assert cpu.asarray([1, 2], "float32").dtype == np.float32
    scalar = cpu.to_host(np.float32(2.5))
    assert isinstance(scalar, np.ndarray)
    assert (scalar.shape, scalar.dtype, float(scalar)) == ((), np.float32, 2.5)
    cpu.synchronize()


def test_memory_used_on_the_cpu_is_that_of_the_process_in_bytes():
    code = (
        "import numpy as np\n"
        "from lenet_gpu.backend.backend import NumpyBackend\n"
        "before = NumpyBackend().memory_used()\n"
        "block = np.ones(50_000_000, dtype=np.uint8)\n"
        "print(before, NumpyBackend().memory_used() - before)\n"
    )  # in a process of its own: here, other tests' memory may be given back in between
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, grown = map(int, ended.stdout.split())
    assert before > 5_000_000
    assert 25_000_000 < grown < 200_000_000


def test_memory_used_without_proc_is_the_peak(monkeypatch, tmp_path):
    monkeypatch.setattr("lenet_gpu.backend.backend._STATM", tmp_path / "none")
    assert 5_000_000 < NumpyBackend().memory_used() < 1 << 40


def test_the_processor_is_named_from_cpuinfo_else_by_its_architecture(monkeypatch, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: Grand  CPU  9000\n")
    monkeypatch.setattr("lenet_gpu.backend.backend._CPUINFO", file)
    assert cpu_name.__wrapped__() == "Grand CPU 9000"
    monkeypatch.setattr("lenet_gpu.backend.backend._CPUINFO", tmp_path / "none")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert cpu_name.__wrapped__() == "riscv64"
