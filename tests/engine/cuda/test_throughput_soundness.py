"""The throughput form's barriers and bounds, executed on the CPU; and that broken kernels are found out."""

from __future__ import annotations

import pytest
from cuda_on_cpu import soundness

from lenet_gpu.engine.cuda.source import SPLIT_IMAGES, kernel_source

FORM = "throughput"
TRAINING = ("train_images.cu", "update.cu")
IMAGES = 3
"""Two groups: one block works on both."""


def split(source: str) -> str:
    """The kernels with as many splits of the batch as it has images: a small batch is split like a large one."""
    for relation in ("=", "=="):
        assert source.count(f"SPLIT_IMAGES {relation} {SPLIT_IMAGES}") == 1
        source = source.replace(f"SPLIT_IMAGES {relation} {SPLIT_IMAGES}", f"SPLIT_IMAGES {relation} 1")
    return source


def test_every_missing_barrier_of_a_step_is_found() -> None:
    """Some are needed in a batch that is split, others in one that is not.

    One barrier stands against blocks that run at the same time, which they don't here: the block that counts itself
    as done must have written its sums.
    """
    whole, parts = (
        soundness.Barriers(source, FORM)
        for source in (kernel_source(form=FORM), split(kernel_source("paper", form=FORM)))
    )
    needed = whole.needed_for_training("cross_entropy", IMAGES) | parts.needed_for_training("map", IMAGES)
    against_others = {k for k, line in enumerate(whole.lines) if line == "__threadfence();"}
    assert len(against_others) == 1
    assert needed == whole.of_files(*TRAINING) - against_others


def test_every_missing_barrier_of_an_inference_is_found() -> None:
    barriers = soundness.Barriers(kernel_source(form=FORM), FORM)
    assert barriers.needed_for_inference(5) == barriers.of_files("infer.cu")


@pytest.mark.parametrize(("variant", "classes"), [("modern", 29), ("paper", 10)])
def test_no_access_lies_beyond_its_array(variant: str, classes: int) -> None:
    done = soundness.sanitized(split(kernel_source(variant, classes, FORM)), variant, str(classes), "0", FORM)
    assert done.returncode == 0, done.stderr[:3000]
    assert done.stdout.startswith("finished")


def test_too_little_shared_memory_is_found() -> None:
    done = soundness.sanitized(split(kernel_source("modern", 29, FORM)), "modern", "29", "16", FORM)
    assert done.returncode != 0
    assert "use-after-poison" in done.stderr
