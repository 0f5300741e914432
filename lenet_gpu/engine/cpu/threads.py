"""Several threads at once: a plan for each of them, and turns at what is short.

NumPy lets go of the interpreter's lock within every call on more than some hundred numbers, and the thread must get
it back behind the call. Two threads whose calls take microseconds hand it to each other some twenty times an answer,
which costs more than the answer: together they were a third slower than one. So short computations take turns as a
whole. Long ones, whose calls take a tenth of a millisecond or more, gain from further cores, and no thread more than
there are cores may be at one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.workers.cores import available_cores


class Turns:
    """Says when a thread of this process may compute."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):  # a child must not wait for threads that it does not have
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._short, self._long = threading.Lock(), threading.BoundedSemaphore(available_cores())

    def take(self, *, long: bool) -> AbstractContextManager[object]:
        """Wait for a turn: `with turns.take(long=False): ...`; not to be taken within another.

        Args:
            long: Whether the computation gains from a core of its own: most of its calls take 0.1 ms or more.
        """
        return self._long if long else self._short


turns = Turns()
"""Those of all threads of the process."""


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
