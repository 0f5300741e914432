"""Answers a second of 1, 2 and 8 threads: OPENBLAS_NUM_THREADS=1 python tests/benchmarks/threads.py [SECONDS].

Two threads on two cores shall give at least 1.2 times the answers of one, eight no fewer than one. The numbers of
threads take turns in several rounds; the best round of each counts, since whatever else runs only takes away.
"""

from __future__ import annotations

import sys
import threading
import time

import numpy as np

from lenet_gpu import LeNet5, Recognizer, load_dataset
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.seeds import generator

COUNTS = (1, 2, 8)
ROUNDS = 5
SAMPLES = 256


def answers_a_second(work, threads, seconds):
    """Call `work(k)` for k = 0, 1, ... in each of the threads; returns calls a second of all together."""
    calls = [0] * threads
    barrier = threading.Barrier(threads + 1)

    def run(thread):
        work(thread)  # the thread's own buffers
        barrier.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            work(calls[thread] + 31 * thread)
            calls[thread] += 1

    started = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
    for thread in started:
        thread.start()
    barrier.wait()
    start = time.perf_counter()
    for thread in started:
        thread.join()
    return sum(calls) / (time.perf_counter() - start)


def main(seconds):
    """Measure and print; each line: calls a second of one thread, and the ratios of the others to it."""
    images = load_dataset("mnist", download=False, progress=False).test.images
    drawings = list(draw_digits(generator(1, 1), [k % 10 for k in range(SAMPLES)]))
    numbers = [
        [np.add(stroke, [60.0 * place, 0.0]) for place in range(3) for stroke in drawings[(k + place) % SAMPLES]]
        for k in range(SAMPLES)
    ]
    recognizer, network = Recognizer(), LeNet5.load("touch")
    tasks = {
        "predict_image": lambda k: recognizer.predict_image(images[k % SAMPLES]),
        "predict_strokes": lambda k: recognizer.predict_strokes(drawings[k % SAMPLES]),
        "predict_number": lambda k: recognizer.predict_number(numbers[k % SAMPLES]),
        "LeNet5.predict, 64 images": lambda k: network.predict(images[k % SAMPLES : k % SAMPLES + 64]),
    }
    for name, work in tasks.items():
        best = dict.fromkeys(COUNTS, 0.0)
        for _ in range(ROUNDS):
            for threads in COUNTS:
                best[threads] = max(best[threads], answers_a_second(work, threads, seconds))
        ratios = ", ".join(f"{threads} threads {best[threads] / best[1]:.2f}" for threads in COUNTS[1:])
        print(f"{name:26s} {best[1]:9,.0f} calls/s in one thread; {ratios} times that", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
