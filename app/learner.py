"""Learning from the samples beside the drawing: in a thread, one at a time, always from all samples there are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .reading import Say
from .services import Timer
from .session import Session


class Learner:
    """Keeps the model in step with the samples.

    What is learned depends on the samples alone, and always begins with the shipped model: so taking a sample away
    and learning again leads back to the model as it was before that sample.

    Args:
        session: Whose tuner learns.
        timer: Brings what was learned into the app's own thread.
    """

    def __init__(self, session: Session, timer: Timer) -> None:
        self._session, self._timer = session, timer
        self._again = False
        self._told: Callable[[Say], None] = lambda said: None

    def learn(self, told: Callable[[Say], None]) -> None:
        """Learn from all samples; where that goes on already, once more after it.

        Args:
            told: Called in the app's own thread with what came of it.
        """
        self._told = told
        if self._session.tuning:
            self._again = True
            return
        self._session.tuning = True
        samples = list(self._session.samples)

        def fit() -> None:
            try:
                found: Any = self._session.tuner.fit(samples) if samples else None
            except Exception as error:  # shown to the user: a thread's traceback helps nobody
                found = error
            self._timer.schedule_once(lambda _: self._learned(found, len(samples)))

        threading.Thread(target=fit, name="learner", daemon=True).start()

    def _learned(self, found: Any, count: int) -> None:
        session = self._session
        session.tuning = False
        if self._again:  # the samples are others by now
            self._again = False
            self.learn(self._told)
            return
        if isinstance(found, Exception):
            said = Say("unexpected", {"reason": str(found)})
        elif found is None:
            said = Say("model_reset")
        else:
            result = session.accept(found)
            said = Say() if result is None else result_said(result, count)
        if (found is None or not getattr(getattr(found, "result", None), "accepted", True)) and session.tuner.tuned:
            # What had been learned came of other samples, and these teach nothing.
            session.attempt(session.tuner.reset)
            session.forget_reading()
        if said.key:
            self._told(said)


def result_said(result: Any, count: int) -> Say:
    """Say how many of the samples are read now.

    Args:
        result: What `app.tune.Tuner` returned.
        count: Number of samples that it learned from.
    """
    if count == 1 and result.reason in ("tune_done", "tune_no_gain"):
        return Say(f"{result.reason}_one")
    values = {"count": count, "before": round(count * result.before), "after": round(count * result.after)}
    return Say(result.reason, values)
