"""One plan for each thread: plans compute in arrays of their own and share nothing but the parameters."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lenet_gpu.engine.cpu.plan import CpuPlan


class ThreadPlans:
    """Makes plans for threads, which may compute at the same time.

    Args:
        make: Makes a plan; called once by every thread that asks for one. The plan goes when its thread ends.
    """

    def __init__(self, make: Callable[[], CpuPlan]) -> None:
        self._make, self._local = make, threading.local()
        self._version = object()

    def refresh(self) -> None:
        """Have every plan take in the parameters before it is given out again."""
        self._version = object()

    def get(self) -> CpuPlan:
        """Give the calling thread its plan, which has taken in the parameters since the last `refresh`.

        Returns:
            A plan to be used by this thread alone, at once; where parameters do not change, with `refresh=False`.
        """
        local, version = self._local, self._version
        if not hasattr(local, "plan"):
            local.plan, local.version = self._make(), None
        if local.version is not version:
            local.plan.refresh()
            local.version = version
        plan: CpuPlan = local.plan
        return plan
