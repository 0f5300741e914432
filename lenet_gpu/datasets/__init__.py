"""Data sets of handwritten digits: MNIST, EMNIST and pendigits by name, the user's by path or from arrays.

`load_dataset` is the one way in; what it returns is a `Dataset` of two validated `Split` values.
"""

from __future__ import annotations

from lenet_gpu.datasets.dataset import Dataset, Split
from lenet_gpu.datasets.load import load_dataset
from lenet_gpu.datasets.locations import cache_folder, locate_mnist
from lenet_gpu.datasets.pendigits import split_writers

__all__ = ["Dataset", "Split", "cache_folder", "load_dataset", "locate_mnist", "split_writers"]
