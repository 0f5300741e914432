"""Data sets of handwritten digits: MNIST, EMNIST and pendigits by name, the user's by path or from arrays.

`load_dataset` is the one way in; what it returns is a `Dataset` of two validated `Split` values.
"""

from __future__ import annotations

from lenet_gpu.datasets.dataset import Dataset, Split
from lenet_gpu.datasets.load import load_dataset
from lenet_gpu.datasets.locations import cache_folder, locate_mnist
from lenet_gpu.datasets.pendigits import split_writers
from lenet_gpu.datasets.writers import hold_out_mnist_writers, read_writers, with_writers

__all__ = [
    "Dataset",
    "Split",
    "cache_folder",
    "hold_out_mnist_writers",
    "load_dataset",
    "locate_mnist",
    "read_writers",
    "split_writers",
    "with_writers",
]
