"""The CPU engine and its worker processes: the same training as the layers, whatever happens to them."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lenet_gpu.augment.augmentation import PAPER
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.cpu.local import LocalEngine
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.workers.cores import keep_to_core, portions
from lenet_gpu.engine.cpu.workers.team import Team, status_words
from lenet_gpu.engine.cpu.workers.worker import Worker
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.errors import TrainingError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD


def rates(order, batch_size):
    return np.linspace(0.05, 0.01, -(-len(order) // batch_size))


def trained(engine_class, mnist, order, batch_size, **arguments):
    """A network after one pass over `order`, and the losses on the way."""
    net = LeNet5(seed=11)
    with engine_class(net, SGD(), **arguments) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        losses = engine.train(order, batch_size, rates(order, batch_size))
    return net, losses


def process_is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize(
    ("batch_size", "steps"), [(1, 50), (2, 50), (31, 50), (32, 50), (33, 50), (256, 20), (1000, 10)]
)
def test_steps_equal_the_layers(mnist, rng, batch_size, steps):
    """Real digits, a learning rate that falls, and a last batch that is not full."""
    n = batch_size * (steps - 1) + (batch_size + 1) // 2
    order = rng.permutation(60000)[:n]
    expected, expected_losses = trained(LayeredEngine, mnist, order, batch_size)
    assert np.abs(expected.parameters - LeNet5(seed=11).parameters).max() > 1e-3
    for threads in (1, 2, 3):
        net, losses = trained(CpuEngine, mnist, order, batch_size, threads=threads)
        assert losses.dtype == np.float32
        np.testing.assert_allclose(losses, expected_losses, atol=2e-5)
        np.testing.assert_allclose(net.parameters, expected.parameters, atol=2e-6)


def test_float64_training_equals_the_layers(mnist, rng):
    order = rng.permutation(60000)[: 33 * 20]
    nets = []
    for engine_class, arguments in ((LayeredEngine, {}), (CpuEngine, {"threads": 2})):
        net = LeNet5(seed=11, dtype="float64")
        with engine_class(net, SGD(), **arguments) as engine:
            engine.load(mnist.train.images, mnist.train.labels)
            engine.train(order, 33, rates(order, 33))
        nets.append(net.parameters)
    np.testing.assert_allclose(nets[1], nets[0], atol=1e-13)


@pytest.mark.parametrize(("threads", "batch_size"), [(1, 32), (2, 32), (2, 300), (3, 50)])
def test_two_runs_give_the_same_bytes_also_when_workers_are_held_up(mnist, rng, threads, batch_size):
    """The second run shares its cores with other processes, so that workers do each other's work."""
    order = rng.permutation(60000)[: batch_size * 20]
    digests = []
    for others in (0, 3):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
        try:
            net, losses = trained(CpuEngine, mnist, order, batch_size, threads=threads)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        digests.append(hashlib.sha256(net.parameters.tobytes() + losses.tobytes()).hexdigest())
    assert digests[0] == digests[1]


def test_a_sleeping_worker_holds_nobody_up_and_changes_nothing(mnist, rng):
    """One of two workers is stopped for a while in mid-training: the other goes on alone, the first catches up."""
    order = rng.permutation(60000)[: 32 * 400]
    expected, expected_losses = trained(CpuEngine, mnist, order, 32, threads=2)
    net = LeNet5(seed=11)
    seen, went_on = [], []
    with CpuEngine(net, SGD(), threads=2) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        sleeper = engine._pool.processes[1].pid
        held_up = threading.Timer(60, os.kill, (sleeper, signal.SIGCONT))  # only if the other waits for it

        def progress(done, losses):
            if not seen:
                os.kill(sleeper, signal.SIGSTOP)
                held_up.start()
            elif not went_on and done > seen[0] + 5:
                went_on.append(held_up.is_alive())
                held_up.cancel()
                os.kill(sleeper, signal.SIGCONT)
            seen.append(done)

        losses = engine.train(order, 32, rates(order, 32), progress)
    assert went_on == [True]
    assert net.parameters.tobytes() == expected.parameters.tobytes()
    assert losses.tobytes() == expected_losses.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 3, 64, 1001])
def test_outputs_equal_the_layers(mnist, threads, n):
    net = LeNet5(seed=11)
    with CpuEngine(net, SGD(), threads=threads) as engine:
        done = []
        outputs = engine.outputs(mnist.test.images[:n], lambda count, _: done.append(count))
        assert outputs.shape == (n, 10)
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, net.readable_outputs(mnist.test.images[:n]), atol=1e-6)
        assert done == sorted(done)
        assert not n or done[-1] == n


def test_one_image_that_is_left_over_gives_the_same_bytes_whoever_takes_it(mnist):
    """Not the short way of one image, which the worker that begins with it can't take."""
    net, images = LeNet5(seed=11), mnist.test.images[:65]
    with CpuEngine(net, threads=1) as engine:
        np.testing.assert_array_equal(engine.outputs(images)[64:], CpuPlan.of(net).outputs(images[64:]))


def test_progress_shows_growing_losses_and_the_last_step(mnist, rng):
    order = rng.permutation(60000)[: 32 * 300]
    net = LeNet5(seed=11)
    calls = []
    with CpuEngine(net, SGD(), threads=2) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        losses = engine.train(order, 32, rates(order, 32), lambda done, seen: calls.append((done, seen)))
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1][0] == 300
    for done, seen in calls:
        np.testing.assert_array_equal(seen, losses[:done])


def test_a_second_training_set_replaces_the_first(mnist, rng):
    order = rng.permutation(2000)
    net, other = LeNet5(seed=11), LeNet5(seed=11)
    small = mnist.train.images[-2000:], mnist.train.labels[-2000:]
    with CpuEngine(net, SGD(), threads=2) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        engine.load(*small)
        engine.train(order, 100, rates(order, 100))
    with LayeredEngine(other, SGD()) as engine:
        engine.load(*small)
        engine.train(order, 100, rates(order, 100))
    np.testing.assert_allclose(net.parameters, other.parameters, atol=2e-6)


def test_parameters_changed_between_calls_are_used(mnist, rng):
    net = LeNet5(seed=11)
    order = rng.permutation(60000)[:320]
    with CpuEngine(net, SGD(), threads=2) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        first = engine.train(order, 32, rates(order, 32))
        net.set_parameters(LeNet5(seed=11).parameters)
        np.testing.assert_array_equal(engine.train(order, 32, rates(order, 32)), first)
        net.set_parameters(LeNet5(seed=12).parameters)
        assert not np.array_equal(engine.train(order, 32, rates(order, 32)), first)


def test_without_workers_the_same_training_runs_in_this_process(mnist, rng):
    order = rng.permutation(60000)[:1000]
    expected, expected_losses = trained(LayeredEngine, mnist, order, 33)
    net, losses = trained(LocalEngine, mnist, order, 33)
    np.testing.assert_allclose(losses, expected_losses, atol=2e-5)
    np.testing.assert_allclose(net.parameters, expected.parameters, atol=2e-6)


@pytest.mark.parametrize("when", ["idle", "training"])
def test_a_killed_worker_is_an_error_with_one_clear_line(mnist, rng, when):
    net = LeNet5(seed=11)
    before = net.host_parameters()
    order = rng.permutation(60000)
    engine = CpuEngine(net, SGD(), threads=2)
    engine.load(mnist.train.images, mnist.train.labels)
    pids = [process.pid for process in engine._pool.processes]

    def progress(done, losses):
        os.kill(pids[1], signal.SIGKILL)

    if when == "idle":
        os.kill(pids[1], signal.SIGKILL)
    started = time.monotonic()
    with pytest.raises(TrainingError) as error:
        engine.train(order, 32, rates(order, 32), progress)
    assert time.monotonic() - started < 10
    assert "worker 1 of 2" in str(error.value)
    assert "signal 9" in str(error.value)
    assert "\n" not in str(error.value)
    assert wait_until(lambda: not any(map(process_is_alive, pids)), 5)
    np.testing.assert_array_equal(net.parameters, before)
    with pytest.raises(TrainingError, match="none left"):
        engine.train(order, 32, rates(order, 32))
    engine.close()


def test_a_failing_worker_says_what_happened(mnist):
    engine = CpuEngine(LeNet5(seed=11), SGD(), threads=2)
    with pytest.raises(TrainingError, match="_labels"):  # nothing loaded
        engine.train(np.arange(64), 32, np.full(2, 0.05))
    engine.close()


def start_training(tmp_path, *, epochs=1000):
    """A process of its own that trains for long; yields its workers' ids and its progress."""
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(f"""
            import numpy as np
            from lenet_gpu import load_dataset
            from lenet_gpu.engine.cpu.engine import CpuEngine
            from lenet_gpu.nn.lenet5 import LeNet5
            from lenet_gpu.nn.optim import SGD

            data = load_dataset("mnist", download=False, progress=False)
            net = LeNet5(seed=11)
            engine = CpuEngine(net, SGD(), threads=2)
            engine.load(data.train.images, data.train.labels)
            print(*(process.pid for process in engine._pool.processes), flush=True)
            order = np.tile(np.arange(60000), {epochs})
            rates = np.full(len(order) // 32, 0.01)
            shown = 0

            def progress(done, losses):
                global shown
                shown = done
                print(done, flush=True)

            try:
                engine.train(order, 32, rates, progress)
            except KeyboardInterrupt:
                moved = np.abs(net.parameters - LeNet5(seed=11).parameters).max()
                outputs = engine.outputs(data.test.images[:100])
                engine.close()
                print("interrupted", moved > 1e-4 and np.isfinite(outputs).all(), flush=True)
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    assert process.stdout.readline().strip()  # training
    return process, workers


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_when_their_coordinator_is_killed(tmp_path, sign):
    process, workers = start_training(tmp_path)
    try:
        assert all(map(process_is_alive, workers))
        process.send_signal(sign)
        process.wait(timeout=10)
        assert wait_until(lambda: not any(map(process_is_alive, workers)), 10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_ctrl_c_stops_after_a_whole_step_and_leaves_a_working_engine(tmp_path):
    """Ctrl-C in a terminal reaches the whole process group, workers included."""
    process, workers = start_training(tmp_path)
    try:
        for pid in (*workers, process.pid):
            os.kill(pid, signal.SIGINT)
        rest = process.communicate(timeout=20)[0]
        assert rest.splitlines()[-1] == "interrupted True"
        assert process.returncode == 0
        assert wait_until(lambda: not any(map(process_is_alive, workers)), 3)
    finally:
        process.kill()
        process.wait()


def test_an_exception_of_progress_stops_and_is_passed_on(mnist):
    net = LeNet5(seed=11)
    with CpuEngine(net, SGD(), threads=2) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        order = np.arange(60000)

        def progress(done, losses):
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            engine.train(order, 32, rates(order, 32), progress)
        assert np.abs(net.parameters - LeNet5(seed=11).parameters).max() > 1e-4
        assert len(engine.train(order[:320], 32, np.full(10, 0.01))) == 10


def test_an_exception_of_progress_stops_an_evaluation(mnist):
    with CpuEngine(LeNet5(seed=11), SGD(), threads=2) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        wanted = engine.outputs(mnist.test.images[:100])

        def progress(done, outputs):
            raise KeyError(done)

        with pytest.raises(KeyError):
            engine.outputs(mnist.train.images, progress)
        file = engine._pool.files["evaluation"]
        assert not file.attach(file.specification)["begun"].all()
        np.testing.assert_array_equal(engine.outputs(mnist.test.images[:100]), wanted)


def test_a_forked_process_leaves_the_workers_to_the_other(mnist):
    """Both would read each other's answers."""
    images = mnist.test.images[:300]
    with CpuEngine(LeNet5(seed=11), threads=2) as engine:
        wanted = engine.outputs(images)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                engine.outputs(images[:10])
            except TrainingError as error:
                status = 2 * ("forked" in str(error))
                engine.close()  # must not end the other's workers
            finally:
                os._exit(status)
        np.testing.assert_array_equal(engine.outputs(images), wanted)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
        np.testing.assert_array_equal(engine.outputs(images), wanted)


def test_workers_need_no_main_guard_and_one_blas_thread_each(tmp_path):
    """A script without `if __name__ == "__main__"`, in a folder with a file that shadows a standard module."""
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')\n")
    script = tmp_path / "plain.py"
    script.write_text(
        textwrap.dedent("""
            import sys
            sys.path.pop(0)
            import numpy as np
            from pathlib import Path
            from lenet_gpu.engine.cpu.engine import CpuEngine
            from lenet_gpu.nn.lenet5 import LeNet5
            from lenet_gpu.nn.optim import SGD
            engine = CpuEngine(LeNet5(), SGD(), threads=2)
            engine.load(np.zeros((64, 28, 28), np.uint8), np.zeros(64, int))
            engine.train(np.arange(64), 32, np.full(2, 0.1))
            for process in engine._pool.processes:
                print(len(list(Path(f"/proc/{process.pid}/task").iterdir())))
        """)
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["1", "1"]


def test_training_again_and_again_keeps_no_memory(mnist):
    """Neither mappings nor descriptors pile up in the coordinator or a worker."""
    with CpuEngine(LeNet5(seed=11), SGD(), threads=2) as engine:
        engine.load(mnist.train.images[:1000], mnist.train.labels[:1000])

        def counts():
            pids = [os.getpid(), *(process.pid for process in engine._pool.processes)]
            return [
                (len(os.listdir(f"/proc/{pid}/fd")), Path(f"/proc/{pid}/maps").read_text().count("lenet-gpu"))
                for pid in pids
            ]

        def work():
            engine.train(np.arange(1000), 100, np.full(10, 0.01))
            engine.outputs(mnist.test.images[:100])

        work()
        work()
        before = counts()
        for _ in range(10):
            work()
        assert counts() == before


def test_a_team_agrees_by_status_words_alone():
    """Two members over the same status, step by step through what can happen to the shards of a batch."""
    status = np.zeros(2 * status_words(4), np.int64)
    first, second = (Team(status, rank, workers=2, shards=4) for rank in range(2))
    assert [first.free_shard(0), second.free_shard(0)] == [0, 2]
    first.begin(0, 0)
    assert second.source(0, 0) is None
    first.finish(0, 0)
    assert second.source(0, 0) == 0
    first.begin(0, 1)
    first.finish(0, 1)
    assert first.free_shard(0) == 3  # helps out, from behind
    second.begin(0, 2)
    second.begin(0, 3)
    assert first.free_shard(0) is None
    assert first.missing_shard(0) == 3
    assert first.sources(0) is None
    for shard in (2, 3):
        second.finish(0, shard)
    assert first.sources(0) == second.sources(0) == [0, 0, 1, 1]
    assert first.missing_shard(0) is None
    # The next step leaves this step's gradients alone, the one after it does not.
    first.begin(1, 0)
    assert second.still(0, [0, 0, 1, 1])
    first.begin(2, 0)
    assert not second.still(0, [0, 0, 1, 1])


def test_a_team_follows_whoever_is_furthest():
    status = np.zeros(3 * status_words(3), np.int64)
    teams = [Team(status, rank, workers=3, shards=3) for rank in range(3)]
    teams[1].set_version(5)
    teams[2].set_version(4)
    assert teams[0].leader() == (1, 10)
    teams[2].set_version(5, changing=True)  # finished 5, on the way to 6
    assert teams[0].leader() == (2, 11)
    assert teams[0].version(2) % 2 == 1


@pytest.mark.parametrize(
    ("cores", "workers", "expected"),
    [([2, 5, 7], 3, [5]), ([2, 5, 7], 2, [2, 5, 7]), ([2, 5, 7], 4, [2, 5, 7]), ([2], 1, [2]), ([], 2, None)],
)
def test_workers_keep_to_their_cores_only_where_there_is_one_for_each(monkeypatch, cores, workers, expected):
    calls = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, given: calls.append((pid, given)))
    keep_to_core(min(1, workers - 1), workers, cores)
    assert calls == ([] if expected is None else [(0, expected)])


def test_a_core_that_is_gone_stops_nobody():
    before = os.sched_getaffinity(0)
    keep_to_core(0, 2, [4000, 4001])
    assert os.sched_getaffinity(0) == before


def test_workers_share_the_cores_only_while_they_share_the_work(mnist, rng):
    """Steps of one image are taken by one worker: two such runs must be free to use two cores."""
    cores = sorted(os.sched_getaffinity(0))
    assert len(cores) > 1, "this test needs two cores"
    with CpuEngine(LeNet5("paper", seed=1), SGD(), threads=len(cores)) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        first = None
        for batch_size, expected in ((64, {cores[0]}), (1, set(cores)), (64, {cores[0]})):
            engine.train(rng.permutation(60000)[:128], batch_size, np.full(128 // batch_size, 1e-4))
            first = first or engine._pool.processes[0].pid
            assert os.sched_getaffinity(first) == expected


def test_a_worker_leaves_a_step_that_is_over_for_all_others():
    """It must not compute shards of it once more: nobody wants them."""
    status = np.zeros(2 * status_words(2), np.int64)
    ahead, behind = (Team(status, rank, 2, 2) for rank in range(2))
    for step in range(3):
        for shard in range(2):
            ahead.begin(step, shard)
            ahead.finish(step, shard)
        ahead.set_version(step + 1)
    worker = Worker.__new__(Worker)
    worker._control = np.zeros(1, np.int64)  # and nothing else that a computation needs
    assert worker._take_step(behind, 0, 0.1) is False


def test_a_shard_is_as_old_as_its_last_beginning():
    status = np.zeros(2 * status_words(2), np.int64)
    teams = [Team(status, rank, 2, 2) for rank in range(2)]
    teams[0].begin(0, 1)
    time.sleep(0.05)
    assert teams[1].seconds_since(0, 1) >= 0.05
    teams[1].begin(0, 1)
    assert teams[0].seconds_since(0, 1) < 0.05
    assert teams[0].seconds_since(1, 1) > 1e3  # nobody has begun it in that step


@pytest.mark.parametrize("batch_size", [24, 32, 100])
def test_any_number_of_workers_gives_the_same_bytes(mnist, rng, batch_size):
    """The last batch is a smaller one; in the user's own process it is the same too, distorted or not."""
    order = rng.permutation(60000)[: 3 * batch_size + 7]
    distortions = PAPER.draw(seed=1, epoch=1, n=len(order))
    found = set()
    for engine_kind, arguments in ((CpuEngine, {"threads": 1}), (CpuEngine, {"threads": 3}), (LocalEngine, {})):
        net = LeNet5(seed=4)
        with engine_kind(net, SGD(), **arguments) as engine:
            engine.load(mnist.train.images, mnist.train.labels)
            losses = [
                engine.train(order, batch_size, rates(order, batch_size), distortions=d) for d in (None, distortions)
            ]
        found.add((net.host_parameters().tobytes(), np.concatenate(losses).tobytes()))
    assert len(found) == 1


def test_portions_are_bounded_and_depend_on_the_batch_alone():
    found = {size: portions(size) for size in (1, 15, 16, 17, 32, 64, 128, 256, 512, 1024, 60000)}
    assert found == {
        1: 1, 15: 1, 16: 1, 17: 2, 32: 2, 64: 4, 128: 8, 256: 8, 512: 16, 1024: 16, 60000: 16
    }  # fmt: skip
