"""One Recognizer and one network, used by several threads at once, answer as they answer one."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from lenet_gpu.handwriting import draw_digits
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
