"""The short form of the campaign of kills: every kind of moment once, by one of four signals."""

import sys

from campaigns import kills


def test_no_kill_loses_anything(tmp_path):
    outcome = kills.campaign(12, seed=2026, work=tmp_path, twice=False)
    assert outcome.wrong == []
    assert sum(outcome.hit.values()) >= 10  # nearly every trial was killed, not finished before
    assert {signal for _, signal in outcome.hit} == set(kills.SIGNALS)
    sys.path.remove(str(kills.CHILD.parent))
