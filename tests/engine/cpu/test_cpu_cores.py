"""How many cores there are to use: quotas of containers, and bounds of what may be asked for."""

import logging
import os

import pytest

from lenet_gpu import LeNet5, Trainer
from lenet_gpu.engine.cpu.workers import cores
from lenet_gpu.engine.cpu.workers.cores import MOST_WORKERS, available_cores, cpu_quota
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import InputError


def machine(folder, groups, files):
    """Fake control groups: the lines of /proc/self/cgroup, and the files below /sys/fs/cgroup."""
    own = folder / "own"
    own.write_text(groups)
    root = folder / "cgroup"
    root.mkdir()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root, own


V1 = "5:cpuset:/\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        (
            "0::/a/b\n",
            {"cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n"},
            1.5,
        ),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/../outside\n", {"cpu.max": "100000 100000\n"}, 1.0),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 2.5),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "50000\n", "cpu/docker/abc/cpu.cfs_period_us": "50000\n"}, 1.0),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        (V1, {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "0\n"}, None),
        ("nonsense", {"cpu.max": "nonsense"}, None),
        ("", {}, None),
    ],
)
def test_the_quota_of_a_container_is_read(tmp_path, groups, files, quota):
    assert cpu_quota(*machine(tmp_path, groups, files)) == quota


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(("quota", "count"), [(0.2, 1), (1.0, 1), (1.4, 1), (1.5, 2), (3.0, 3), (99.0, 8)])
def test_a_quota_bounds_the_cores(tmp_path, monkeypatch, quota, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    fake = machine(tmp_path, "0::/\n", {"cpu.max": f"{int(quota * 100000)} 100000\n"})
    assert available_cores(*fake) == count


@pytest.mark.parametrize("threads", [0, -3, MOST_WORKERS + 1, 10_000, 2.0, True, "2"])
def test_a_senseless_number_of_workers_is_refused(threads):
    with pytest.raises(InputError, match="threads"):
        make_engine(LeNet5(), threads=threads)


@pytest.mark.parametrize("threads", ["0", "10000", "-1", "x"])
def test_the_command_line_says_which_numbers_make_sense(lenet_gpu_command, tmp_path, threads):
    for command in ("train", "bench"):
        ended = lenet_gpu_command(command, f"--threads={threads}", cwd=tmp_path)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
        assert f"from 1 to {MOST_WORKERS}" in ended.stderr


def test_a_run_of_64_workers_goes_on_with_64_on_any_machine_and_says_so(tmp_path, mnist, caplog):
    """As many as the run had: with another number the bytes would be others."""
    from lenet_gpu.training.callbacks import RunFolder

    small = mnist.train.images[:512], mnist.train.labels[:512]
    logging.getLogger("lenet_gpu").propagate = True
    Trainer(LeNet5(), epochs=1, threads=64, callbacks=[RunFolder(tmp_path)], progress=False).fit(*small)
    caplog.clear()
    trainer = Trainer.resume(tmp_path, epochs=2, progress=False)
    run = trainer.fit(*small)
    assert [log["workers"] for log in run.history] == [64, 64]
    assert any("64 workers on" in record.message for record in caplog.records) or cores.available_cores() >= 64
