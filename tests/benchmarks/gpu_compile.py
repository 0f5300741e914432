"""torch.compile as a contestant, in a process of its own: it may take minutes, and is ended when its time is up.

    python gpu_compile.py START.npz DEVICE SECONDS REPEATS BATCH...

START.npz holds the images, labels and weights to start from. Every batch size that is done gives a line of JSON on
standard output: its losses, and the seconds of a step in each burst. gpu.py starts this program.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import gpu_timing  # noqa: E402

CHECKED_STEPS = 20
LEARNING_RATE = 0.05


def order_of(images: int, batch_size: int) -> np.ndarray:
    """The order that all contestants train in, (steps, batch) indices."""
    steps = gpu_timing.steps_of(images, batch_size)
    return np.resize(np.random.default_rng(0).permutation(images), (steps, batch_size))


def main(start, device, seconds, repeats, *batches):
    """Compile and measure one batch size after the other."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the compiler prints must not end up among the answers
    import gpu_peers

    with np.load(start) as file:
        held = dict(file)
    images, labels = held.pop("images"), held.pop("labels")
    begin = time.monotonic()
    for batch_size in map(int, batches):
        peer = gpu_peers.TorchPeer(device, "compile")
        order = order_of(len(images), batch_size)
        try:
            peer.prepare(images, labels, held, order, LEARNING_RATE)
            losses = peer.losses(min(CHECKED_STEPS, len(order)))
            unit = gpu_timing.unit_of(len(images), batch_size)
            steps, calls = gpu_timing.burst_of(peer, len(order), unit, float(seconds))

            def burst(peer=peer, steps=steps, calls=calls):
                for _ in range(calls):
                    peer.train(steps)

            works = {"it": (peer, burst, steps * calls)}
            found = gpu_timing.in_turns(works, int(repeats), time.monotonic() + 60)
            answer = {"losses": losses.tolist(), "values": found["it"], "after": time.monotonic() - begin}
        except Exception as error:
            answer = {"failed": gpu_timing.reason(error)}
        answers.write(json.dumps({"batch_size": batch_size, "name": peer.name} | answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
