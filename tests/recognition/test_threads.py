"""One Recognizer and one network, used by several threads at once, answer as they answer one."""

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from PIL import Image

from lenet_gpu.engine.cpu.threads import Turns, turns
from lenet_gpu.engine.cpu.workers.cores import available_cores
from lenet_gpu.errors import InputError
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.ink.image_files import decode_gray
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.recognition.recognizer import Recognizer
from lenet_gpu.seeds import generator


def tasks_of(method, mnist):
    if method == "predict_image":
        return list(mnist.test.images[:60])
    drawings = [list(draw_digits(generator(5, number), [number % 10, 7, 3])) for number in range(12)]
    if method == "predict_strokes":
        return [digit for drawing in drawings for digit in drawing]
    lines = []
    for drawing in drawings:
        lines.append([np.add(stroke, [60.0 * place, 0.0]) for place, digit in enumerate(drawing) for stroke in digit])
    return lines


def plain(answer):
    """An answer as comparable values."""
    if hasattr(answer, "digits"):
        return [(plain(digit), digit.strokes, digit.box) for digit in answer.digits]
    return answer.digit, answer.probabilities.tobytes(), answer.is_digit, answer.reason, answer.image.tobytes()


def by_threads(function, tasks, threads):
    """Every thread goes through all tasks, each beginning elsewhere; their answers in the order of the tasks."""
    barrier = Barrier(threads)

    def work(thread):
        barrier.wait()
        order = np.roll(np.arange(len(tasks)), -thread * len(tasks) // threads)
        answers = {int(k): plain(function(tasks[k])) for k in order}
        return [answers[k] for k in range(len(tasks))]

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(threads)))


@pytest.mark.parametrize("threads", [2, 8])
@pytest.mark.parametrize("method", ["predict_image", "predict_strokes", "predict_number"])
def test_one_recognizer_answers_every_thread_as_it_answers_one(mnist, method, threads):
    read = getattr(Recognizer(), method)
    tasks = tasks_of(method, mnist)
    alone = [plain(read(task)) for task in tasks]
    assert by_threads(read, tasks, threads) == [alone] * threads


@pytest.mark.parametrize("threads", [2, 8])
def test_one_network_answers_every_thread_as_it_answers_one(mnist, threads):
    network = LeNet5.load("mnist")
    tasks = [mnist.test.images[start : start + 1 + start % 37] for start in range(0, 2000, 61)]
    alone = [network.predict(task).tolist() for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(3):
            assert [found.tolist() for found in pool.map(network.predict, tasks)] == alone


def photograph(image, side=600):
    """A large picture of a digit, which is read while other threads compute."""
    paper = np.full((side, side), 230, np.uint8)
    paper[100:500, 100:500] -= np.asarray(Image.fromarray(image).resize((400, 400))) // 2
    return paper


@pytest.mark.parametrize("threads", [2, 8])
def test_files_and_large_pictures_answer_every_thread_as_they_answer_one(mnist, threads):
    recognizer, tasks = Recognizer(), []
    for image in mnist.test.images[:4]:
        for side in (300, 600):
            Image.fromarray(photograph(image)).resize((side, side)).save(file := io.BytesIO(), "PNG")
            tasks.append(file.getvalue())

    def read(content):
        return recognizer.predict_image(decode_gray(io.BytesIO(content), "picture"))

    alone = [plain(read(task)) for task in tasks]
    assert by_threads(read, tasks, threads) == [alone] * threads


def test_a_server_with_eight_threads_mixes_all_methods(mnist):
    """Each thread does everything, in an order of its own, with one Recognizer and its network."""
    recognizer, images = Recognizer("mnist"), mnist.test.images
    network = recognizer.network
    page = np.full((200, 500), 255, np.uint8)
    for k in range(6):
        page[30 + 90 * (k // 3) :, 40 + 150 * (k % 3) :][:56, :56] = 255 - np.kron(
            images[k], np.ones((2, 2), np.uint8)
        )
    requests = {
        "image": lambda: plain(recognizer.predict_image(photograph(images[0], 600))),
        "images": lambda: [plain(answer) for answer in recognizer.predict_images(list(images[:9]))],
        "strokes": lambda: plain(recognizer.predict_strokes(tasks_of("predict_strokes", mnist)[3])),
        "number": lambda: plain(recognizer.predict_number(tasks_of("predict_number", mnist)[5])),
        "page": lambda: [
            [(mark.box, mark.digit, mark.confidence) for mark in line.digits]
            for line in recognizer.read_page(page).lines
        ],
        "predict": lambda: network.predict(images[:70]).tolist(),
        "activations": lambda: {name: x.tobytes() for name, x in network.activations(images[5:8]).items()},
    }
    alone = {name: request() for name, request in requests.items()}
    assert [len(line) for line in alone["page"]] == [3, 3]
    barrier = Barrier(8)

    def work(thread):
        barrier.wait()
        names = generator(9, thread).permutation(list(requests) * 2)
        return [name for name in names if requests[name]() != alone[name]]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[]] * 8


def test_short_computations_take_turns_and_long_ones_have_a_core_each():
    ours = Turns()
    with ours.take(long=False):
        assert not ours._short.acquire(blocking=False)
        for _ in range(available_cores()):
            assert ours._long.acquire(blocking=False)
        assert not ours._long.acquire(blocking=False)
    assert ours._short.acquire(blocking=False)


@pytest.mark.parametrize("method", ["predict_image", "predict_strokes", "predict_number"])
def test_an_error_ends_the_turn(method):
    recognizer = Recognizer()
    for _ in range(available_cores() + 1):
        with pytest.raises(InputError):
            getattr(recognizer, method)([[[1.0, np.nan]]])
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(recognizer.predict_strokes, [[[0, 0], [0, 30]]]).result(timeout=60).reason != "blank"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that is what is tried
def test_a_forked_child_does_not_wait_for_the_parents_threads(mnist):
    recognizer, image = Recognizer(), mnist.test.images[0]
    held, done = threading.Event(), threading.Event()

    def hold():
        with turns.take(long=False):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        os._exit(0 if recognizer.predict_image(image).digit == mnist.test.labels[0] else 1)
    for _ in range(600):
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            break
        threading.Event().wait(0.1)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
    done.set()
    thread.join()
    assert finished
    assert status == 0
