"""Answers a second of 1, 2 and 8 threads: OPENBLAS_NUM_THREADS=1 python tests/benchmarks/threads.py [SECONDS [TASK]].

Two threads on two cores shall give at least 1.2 times the answers of one, eight no fewer than one. One thread, two,
eight and, for comparison, two processes take turns; each round gives a ratio of each to one thread. Printed are the
medians of the rounds, and the least and the greatest. A round counts if two threads could have both cores: hashing,
which needs no lock of the interpreter's, is timed before and after it and must be QUIET times as fast in two threads.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np

from lenet_gpu import LeNet5, Recognizer, load_dataset
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.ink.image_files import decode_gray
from lenet_gpu.seeds import generator

COUNTS = (1, 2, 8)
ROUNDS, MOST_ROUNDS = 7, 60
SAMPLES = 256
PHOTOGRAPHS = 32
QUIET = 1.7


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


def photograph(image, side, noise):
    """A digit on unevenly lit, grainy paper: the bytes of a PNG file."""
    from PIL import Image

    digit = np.asarray(Image.fromarray(255 - image).resize((side * 2 // 3,) * 2, Image.Resampling.BICUBIC))
    paper = np.full((side, side), 255.0)
    start = side // 6
    paper[start : start + len(digit), start : start + len(digit)] = digit
    y, x = np.mgrid[:side, :side] / side
    paper = paper * (0.7 + 0.25 * x * y) + noise.normal(0.0, 3.0, paper.shape)
    file = io.BytesIO()
    Image.fromarray(np.repeat(np.clip(paper, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)).save(file, "PNG")
    return file.getvalue()


@cache
def tasks():
    """What is asked, by name: functions of a number."""
    images = load_dataset("mnist", download=False, progress=False).test.images
    drawings = list(draw_digits(generator(1, 1), [k % 10 for k in range(SAMPLES)]))
    numbers = [
        [np.add(stroke, [60.0 * place, 0.0]) for place in range(3) for stroke in drawings[(k + place) % SAMPLES]]
        for k in range(SAMPLES)
    ]
    noise = generator(1, 2)
    files = [photograph(image, 300, noise) for image in images[:PHOTOGRAPHS]]
    large = [decode_gray(io.BytesIO(photograph(image, 1000, noise)), "large") for image in images[:4]]
    recognizer, network = Recognizer(), LeNet5.load("touch")

    def read_file(k):
        return recognizer.predict_image(decode_gray(io.BytesIO(files[k % PHOTOGRAPHS]), "photograph"))

    return {
        "photograph, a PNG file of 300x300": read_file,
        "predict_image, 1000x1000": lambda k: recognizer.predict_image(large[k % 4]),
        "predict_image, 28x28": lambda k: recognizer.predict_image(images[k % SAMPLES]),
        "predict_strokes": lambda k: recognizer.predict_strokes(drawings[k % SAMPLES]),
        "predict_number, 3 digits": lambda k: recognizer.predict_number(numbers[k % SAMPLES]),
        "LeNet5.predict, 1 image": lambda k: network.predict(images[k % SAMPLES : k % SAMPLES + 1]),
        "LeNet5.predict, 64 images": lambda k: network.predict(images[k % SAMPLES : k % SAMPLES + 64]),
    }


def of_a_process(name, seconds):
    """Answers a second of one thread, in a process of its own."""
    return answers_a_second(tasks()[name], 1, seconds)


def gain_of_hashing():
    """How many times as fast two threads are as one where nothing is in their way."""
    block = bytes(1 << 20)

    def rate(threads):
        return answers_a_second(lambda k: hashlib.sha256(block).digest(), threads, 0.06)

    return rate(2) / rate(1)


def measure(name, seconds, processes):
    """Go rounds of one task: calls a second in COUNTS threads and in two processes, (n, 4), and rounds tried."""
    work, rows, tried = tasks()[name], [], 0
    while len(rows) < ROUNDS and tried < MOST_ROUNDS:
        tried += 1
        if gain_of_hashing() < QUIET:
            continue
        row = [answers_a_second(work, threads, seconds) for threads in COUNTS]
        row.append(sum(processes.map(of_a_process, [name] * 2, [seconds] * 2)))
        if gain_of_hashing() >= QUIET:
            rows.append(row)
    return np.array(rows).reshape(len(rows), len(COUNTS) + 1), tried


def main(seconds, names):
    """Measure and print."""
    others = [f"{threads} threads" for threads in COUNTS[1:]] + ["2 processes"]
    print(f"{os.cpu_count()} cores; times one thread's answers: median [least to greatest] of the rounds")
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        for name in names or tasks():
            rows, tried = measure(name, seconds, processes)
            if not len(rows):
                print(f"{name:34s} none of {tried} rounds was quiet", flush=True)
                continue
            ratios = (rows[:, 1:] / rows[:, :1]).T
            text = "; ".join(
                f"{other} {np.median(ratio):.2f} [{ratio.min():.2f} to {ratio.max():.2f}]"
                for other, ratio in zip(others, ratios, strict=True)
            )
            print(f"{name:34s} {np.median(rows[:, 0]):7,.0f}/s; {text}; n = {len(rows)} of {tried}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.5, sys.argv[2:])
