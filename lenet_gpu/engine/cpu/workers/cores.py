"""Cores, and the number of worker processes for them; imports no NumPy, so that `doctor` can always ask."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path

from lenet_gpu.errors import InputError

MOST_BY_DEFAULT = 16
"""Workers started on machines with more cores, unless asked for."""

MOST_WORKERS = 256
"""Workers that may be asked for: no machine gains from more, and each is a process of its own."""

SMALL_PORTION, PORTION = 16, 32
"""Images of a portion in small batches, and in large ones."""

MOST_PORTIONS = 16
"""Portions of a batch: whoever takes a step adds up the gradients of all, 0.24 MiB each."""

CGROUPS = Path("/sys/fs/cgroup")
"""Folder in which Linux shows the control groups, by which containers are given their share of the processors."""

OWN_CGROUP = Path("/proc/self/cgroup")
"""File in which Linux says which control groups this process is in."""


def own_cores() -> list[int]:
    """List the numbers of the cores that this process may use; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def cpu_quota(cgroups: Path = CGROUPS, own_cgroup: Path = OWN_CGROUP) -> float | None:
    """Read how many processors' time the control groups of this process allow it.

    A container that is given 1.5 processors (`docker run --cpus 1.5`, a limit of Kubernetes) sees all cores of the
    machine, and is put to sleep when it has used up its time. Version 2 keeps quota and period in `cpu.max`,
    version 1 in `cpu.cfs_quota_us` and `cpu.cfs_period_us`; a group has no more than the groups above it.

    Args:
        cgroups: Folder of the control groups.
        own_cgroup: File with the groups of this process: lines NUMBER:CONTROLLERS:PATH.

    Returns:
        The smallest quota, in processors; None if there is none, or no such system.
    """
    try:
        lines = own_cgroup.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    quotas = []
    # In a container the path may be that of the machine outside; then the group is what the container sees as root.
    for line in [*lines, "0::/", "1:cpu:/"]:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        roots = [cgroups / controllers, cgroups / "cpu"] if controllers else [cgroups, cgroups / "unified"]
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for root in roots:
            quotas += [_quota_of(root.joinpath(*parts[:depth])) for depth in range(len(parts) + 1)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of(folder: Path) -> float | None:
    """Read the quota of one control group, of version 2 or 1."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()[:2]
        else:
            old = [folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"]
            quota, period = (file.read_text(encoding="ascii") for file in old)
        share = int(quota) / int(period)  # "max", and -1 in version 1, are no limit
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None


def available_cores(cgroups: Path = CGROUPS, own_cgroup: Path = OWN_CGROUP) -> int:
    """Count the cores that this process may use: a container or taskset can allow fewer than there are.

    Args:
        cgroups: As for `cpu_quota`.
        own_cgroup: As for `cpu_quota`.

    Returns:
        At least 1; a quota is rounded to the nearest whole number.
    """
    cores = len(own_cores()) or os.cpu_count() or 1
    quota = cpu_quota(cgroups, own_cgroup)
    return cores if quota is None else max(1, min(cores, math.floor(quota + 0.5)))


def check_workers(workers: int | None) -> None:
    """Refuse a number of workers that makes no sense.

    Args:
        workers: How many; None leaves the choice to `default_workers`.

    Raises:
        InputError: Fewer than one, or more than MOST_WORKERS.
    """
    if workers is not None and not (type(workers) is int and 1 <= workers <= MOST_WORKERS):
        raise InputError("threads", found=repr(workers), expected=f"a whole number from 1 to {MOST_WORKERS}, or None")


def portions(batch_size: int) -> int:
    """Choose into how many portions a batch is cut, the same for any number of workers.

    A portion's gradient is computed by one worker, and the gradients are added in the portions' order, whoever
    computed them: so the result does not depend on the number of workers. Portion p of m images in all is those from
    m p // portions to m (p + 1) // portions.

    Args:
        batch_size: Images of a batch.

    Returns:
        1 to `MOST_PORTIONS`: portions of 16 images up to a batch of 128, then of 32, and of more beyond 512.
    """
    small = min(MOST_PORTIONS // 2, -(-batch_size // SMALL_PORTION))
    return max(1, min(MOST_PORTIONS, max(small, batch_size // PORTION)))


def workers_possible() -> bool:
    """Tell whether this platform can run workers: POSIX, with an interpreter to start."""
    return (
        os.name == "posix"
        and bool(sys.executable)
        and not getattr(sys, "frozen", False)
        and not hasattr(sys, "getandroidapilevel")
        and sys.platform not in ("ios", "emscripten", "wasi")
    )


def default_workers() -> int:
    """Choose the number of workers when nobody says otherwise."""
    return min(available_cores(), MOST_BY_DEFAULT) if workers_possible() else 1


def keep_to_core(rank: int, workers: int, cores: list[int]) -> None:
    """Keep this process on one core alone if a worker computes for every core, else let it use any.

    Without, another process that keeps a core busy can drive two workers onto another one for seconds: the system
    sees nothing unfair in that, but the two get half of what the cores have left.

    Args:
        rank: Number of this worker.
        workers: Number of workers that compute.
        cores: What `own_cores` said when the process started.
    """
    if cores:
        # They may have been taken from us meanwhile (a container is moved, a core is switched off).
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, [cores[rank]] if len(cores) == workers > 1 else cores)
