"""Random use with a seed: no exception, lost stroke or growing memory (LENET_GPU_FUZZ_SECONDS=60: the long run)."""

import os
from statistics import median

from kivy_process import play

SECONDS = float(os.environ.get("LENET_GPU_FUZZ_SECONDS", "20"))


def test_random_use_breaks_loses_and_leaks_nothing(tmp_path):
    found = play(
        "fuzz",
        tmp_path,
        "mock",
        size=(480, 800),
        options={"seed": 1998, "seconds": SECONDS},
        timeout=SECONDS * 3 + 240,
    )
    assert found["lost"] == []
    assert found["counts"]["touch"] >= 20
    assert found["counts"]["key"] >= 10
    # Caches fill at first; after a third of the time nothing may grow any more.
    settled = found["memory"][len(found["memory"]) // 3 :]
    assert len(settled) >= 6
    first, last = settled[: len(settled) // 2], settled[len(settled) // 2 :]
    assert sum(last) / len(last) - sum(first) / len(first) < 12.0, found["memory"]
    # Labels come and go with answers and notes: what has gone must be free.
    labels = found["labels"]
    n = len(labels)
    assert median(labels[-(n // 3) :]) < 1.3 * median(labels[n // 5 : n // 2]), labels
