"""Training by several ranks: the same bytes as by one process, one voice, and one end for all."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from lenet_gpu import LeNet5
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.cpu.ranked import RankedEngine
from lenet_gpu.engine.ranks import added, portion, portions
from lenet_gpu.nn.optim import Nesterov
from lenet_gpu.training.checkpoint import Checkpoint

PYTHON = Path(sys.executable)
MPIEXEC = PYTHON.with_name("mpiexec")
ALONE = (PYTHON, "-m", "lenet_gpu")
TWO = (MPIEXEC, "-n", "2", PYTHON, "-m", "mpi4py", "-m", "lenet_gpu")


class ThreadRanks:
    """Ranks that are threads of one process: the engine's arithmetic without MPI."""

    def __init__(self, rank, size, shared):
        self.rank, self.size, self._shared = rank, size, shared

    def gather(self, rows, counts):
        rows_of, barrier = self._shared
        rows_of[self.rank] = rows
        barrier.wait()
        ends = np.cumsum([0, *counts])
        for rank, other in enumerate(list(rows_of)):
            if rank != self.rank:
                rows[ends[rank] : ends[rank + 1]] = other[ends[rank] : ends[rank + 1]]
        barrier.wait()

    def add_up(self, rows, counts):
        self.gather(rows, counts)
        return added(rows, np.empty_like(rows[0]))

    def from_first(self, number):
        rows = np.zeros(self.size, np.int64)
        rows[self.rank] = number
        self.gather(rows, [1] * self.size)
        return int(rows[0])


def on_ranks(size, work):
    """What `work` returns for each of so many ranks; it is called with them at once."""
    shared = [None] * size, threading.Barrier(size, timeout=60)
    found = [None] * size

    def run(rank):
        try:
            found[rank] = work(ThreadRanks(rank, size, shared))
        except BaseException:
            shared[1].abort()
            raise

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def trained(engine, network, mnist, batch_size, distorted):
    images, labels = mnist.train.images[:400], mnist.train.labels[:400]
    rng = np.random.default_rng(3)
    order = rng.permutation(400)[:350]
    distortions = None
    if distorted:
        from lenet_gpu.augment.augmentation import STANDARD

        distortions = STANDARD.draw(1, 1, 350)
    steps = -(-350 // batch_size)
    engine.load(images, labels)
    losses = engine.train(order, batch_size, np.full(steps, 0.02), None, distortions)
    return losses.tobytes(), network.parameters.tobytes(), engine.outputs(mnist.test.images[:300]).tobytes()


@pytest.mark.parametrize(
    ("batch_size", "distorted"), [(32, False), (32, True), (100, False), (256, True), (3, False)]
)
def test_any_number_of_ranks_gives_the_bytes_of_one_process(mnist, batch_size, distorted):
    def start(ranks=None):
        network = LeNet5(seed=2, initialisation="lecun")
        optimizer = Nesterov(momentum=0.9)
        optimizer.prepare(network)
        engine = CpuEngine(network, optimizer, 4) if ranks is None else RankedEngine(network, optimizer, ranks, 4)
        with engine:
            return trained(engine, network, mnist, batch_size, distorted)

    expected = start()
    for size in (1, 2, 3, 5):
        assert on_ranks(size, start) == [expected] * size


def test_the_portions_of_another_number_of_workers_are_other_bytes(mnist):
    """What the test above finds equal is not equal anyway."""

    def start(threads):
        network = LeNet5(seed=2, initialisation="lecun")
        optimizer = Nesterov(momentum=0.9)
        optimizer.prepare(network)

        def work(ranks):
            return trained(RankedEngine(network, optimizer, ranks, threads), network, mnist, 32, False)

        return on_ranks(1, work)[0]

    assert start(1)[1] != start(2)[1]


@pytest.mark.parametrize(("items", "size"), [(0, 3), (1, 4), (8, 3), (7, 7)])
def test_portions_cover_everything_once_and_evenly(items, size):
    parts = [portion(items, rank, size) for rank in range(size)]
    assert [item for part in parts for item in part] == list(range(items))
    assert portions(items, size) == [len(part) for part in parts]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


SUMS = """
import numpy as np
from lenet_gpu.engine.ranks import added, portions
from lenet_gpu.training.distributed import find_ranks

ranks = find_ranks()
for rows in (1, 2, 3, 4, 7, 16):
    for width in (1, 2, 1001):
        all_rows = np.random.default_rng(rows).standard_normal((rows, width), np.float32)
        counts = portions(rows, ranks.size)
        own = np.zeros_like(all_rows)
        chosen = slice(sum(counts[: ranks.rank]), sum(counts[: ranks.rank + 1]))
        own[chosen] = all_rows[chosen]
        found = ranks.add_up(own, counts)
        assert found.tobytes() == added(all_rows, np.empty(width, np.float32)).tobytes(), (rows, width)
        if rows == 16 and width == 1001:  # a sum in another order has other bytes
            assert found.tobytes() != added(all_rows[::-1], np.empty(width, np.float32)).tobytes()
"""


@pytest.mark.parametrize("ranks", ["2", "3"])
def test_mpi_adds_rows_in_their_order(ranks, tmp_path):
    (tmp_path / "sums.py").write_text(SUMS)
    program = [MPIEXEC, "-n", ranks, PYTHON, "-m", "mpi4py", tmp_path / "sums.py"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def digits(tmp_path_factory, mnist):
    """A data set of 320 and 100 digits."""
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(
        file, x_train=mnist.train.images[:320], y_train=mnist.train.labels[:320], x_test=mnist.test.images[:100],
        y_test=mnist.test.labels[:100],
    )  # fmt: skip
    return file


def train(program, digits, folder, *more):
    given = ["train", "--backend", "cpu", "--dataset", digits, "--threads", "2", "--out", folder, *more]
    return subprocess.run([*program, *given], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def alone(digits, tmp_path_factory):
    """A run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    done = train(ALONE, digits, folder, "--epochs", "3", "--validation", "0.2", "--patience", "9")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def untimed(text):
    """Lines without the figures that differ between two equal runs."""
    return [line.partition(")")[0] for line in text.splitlines() if line.startswith("epoch")]


@pytest.mark.parametrize(
    "program", [TWO, (MPIEXEC, "-n", "2", PYTHON, "-m", "lenet_gpu")], ids=["-m mpi4py", "plain"]
)
def test_two_ranks_make_the_files_of_one_process_and_speak_once(program, alone, digits, tmp_path):
    folder, said = alone
    done = train(program, digits, tmp_path / "run", "--epochs", "3", "--validation", "0.2", "--patience", "9")
    assert done.returncode == 0, done.stderr
    assert untimed(done.stdout) == untimed(said)
    assert "2 ranks" in done.stdout
    for name in ("model.npz", "best.npz", "command.txt"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / name).read_bytes()


KILLED = """
import os, signal, sys
from lenet_gpu.training.distributed import SameEverywhere
from lenet_gpu.__main__ import main

original, lost = SameEverywhere.on_epoch, int(sys.argv.pop())
def on_epoch(self, trainer, log):
    original(self, trainer, log)
    if log["epoch"] == 2 and self._ranks.rank == lost:
        END
SameEverywhere.on_epoch = on_epoch
sys.exit(main())
"""


KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(("rank", "end"), [(1, KILL), (0, KILL), (1, "raise OSError('lost')")])
def test_a_rank_that_is_lost_ends_all_and_its_run_goes_on(rank, end, alone, digits, tmp_path):
    folder, _ = alone
    (tmp_path / "killed.py").write_text(KILLED.replace("END", end))
    program = [MPIEXEC, "-n", "2", PYTHON, tmp_path / "killed.py"]
    given = ["train", "--backend", "cpu", "--dataset", digits, "--threads", "2", "--out", tmp_path / "run"]
    given += ["--epochs", "3", "--validation", "0.2", "--patience", "9", str(rank)]
    done = subprocess.run([*program, *given], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert len(Checkpoint.load(tmp_path / "run").history) in (1, 2)
    resumed = subprocess.run([*TWO, "train", "--backend", "cpu", "--resume", tmp_path / "run"], capture_output=True,
                             text=True, timeout=60, check=False)  # fmt: skip
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "run/model.npz").read_bytes() == (folder / "model.npz").read_bytes()


DIFFERENT = """
import sys
from lenet_gpu import LeNet5, Trainer, load_dataset
from lenet_gpu.errors import LenetError
from lenet_gpu.training.distributed import find_ranks

ranks = find_ranks()
data = load_dataset(sys.argv[1])
class Spoilt(LeNet5):
    def begin_epoch(self, seed, epoch):
        if epoch == 2 and ranks.rank == 1:
            self.parameters[7] += 1e-6
CASE
try:
    trainer.fit(data)
except LenetError as error:
    sys.stdout.write(f"{ranks.rank} {error}\\n")
"""


@pytest.mark.parametrize(
    ("case", "thing"),
    [
        ("trainer = Trainer(LeNet5(), 'classic', seed=ranks.rank, progress=False, ranks=ranks)", "settings and data"),
        (
            "trainer = Trainer(LeNet5(seed=ranks.rank), 'classic', seed=1, progress=False, ranks=ranks)",
            "parameters at",
        ),
        ("trainer = Trainer(Spoilt(), 'classic', epochs=3, progress=False, ranks=ranks)", "parameters after epoch 2"),
        ("trainer = Trainer(LeNet5(), 'classic', engine='layered', progress=False, ranks=ranks)", "2 ranks: found"),
    ],
)
def test_ranks_that_differ_are_named(case, thing, digits, tmp_path):
    (tmp_path / "different.py").write_text(DIFFERENT.replace("CASE", case))
    done = subprocess.run(
        [MPIEXEC, "-n", "2", PYTHON, "-m", "mpi4py", tmp_path / "different.py", digits],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    lines = sorted(done.stdout.splitlines())
    assert [line[0] for line in lines] == ["0", "1"], done.stderr
    assert all(line[2:].startswith(thing) for line in lines), lines
    assert "another on rank 1 than on rank 0" in lines[0] or "engine layered" in lines[0]


def test_what_all_ranks_get_wrong_is_said_once(digits, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/model.npz").write_bytes(b"")
    done = train(TWO, digits, tmp_path / "run", "--epochs", "1")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("lenet-gpu: error")]
    assert len(errors) == 1
    assert (tmp_path / "run/model.npz").read_bytes() == b""
    done = train(TWO, tmp_path / "nowhere", tmp_path / "other")
    assert done.returncode == 2
    assert done.stderr.count("lenet-gpu: error") == 1


def test_ctrl_c_keeps_the_whole_epochs(digits, tmp_path):
    given = ["train", "--backend", "cpu", "--dataset", digits, "--threads", "2", "--out", tmp_path / "run"]
    child = subprocess.Popen(
        [*TWO, *given, "--epochs", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not child.stdout.readline().startswith("epoch  2"):
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode != 0
    kept = len(Checkpoint.load(tmp_path / "run").history)
    assert kept >= 2
    assert f"interrupted; epochs 1 to {kept} are kept" in said
    assert "Traceback" not in said


def test_a_missing_library_is_one_line_with_the_remedy(digits, tmp_path):
    environment = {**os.environ, "PMI_SIZE": "2", "MPI4PY_LIBMPI": str(tmp_path / "libmpi.so")}
    given = [*ALONE, "train", "--backend", "cpu", "--dataset", digits, "--out", tmp_path / "run"]
    done = subprocess.run(given, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("lenet-gpu: error: MPI: found")
    assert "libmpi" in line
    assert line.endswith("pip install 'lenet-gpu[mpi]' brings mpi4py and MPICH")


def test_without_a_launcher_nothing_of_mpi_is_loaded(digits, tmp_path):
    program = (
        "import sys, json; from lenet_gpu.cli import run; "
        f"run(['train', '--backend', 'cpu', '--dataset', {str(digits)!r}, '--epochs', '1', '--out', 'r']); "
        "print(json.dumps([name for name in sys.modules if name.startswith('mpi4py')]))"
    )
    done = subprocess.run(
        [PYTHON, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
