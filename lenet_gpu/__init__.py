"""LeNet-5 (LeCun et al. 1998) from scratch on NumPy and CuPy.

Public names: `LeNet5` and `Network` (the networks), `Trainer` (fits them), `Recognizer` (reads digits with a trained
one), `load_dataset`, `select_backend`, and `__version__`; what layers, losses and optimisers are made of is in
`lenet_gpu.nn`. Names are imported when first used: importing the package alone loads nothing, not even NumPy, so
that the command line can still set the number of BLAS threads.
"""

from importlib import import_module

from lenet_gpu._version import __version__

# Not from `typing`: in `python -m lenet_gpu` this runs before `__main__` can keep the user's files out of the search.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lenet_gpu.backend import select_backend
    from lenet_gpu.datasets import Dataset, load_dataset
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.nn.network import Network
    from lenet_gpu.recognition.recognizer import Recognizer
    from lenet_gpu.training.best_epoch import EarlyStopping
    from lenet_gpu.training.callbacks import Callback
    from lenet_gpu.training.recipes import Recipe
    from lenet_gpu.training.trainer import Trainer

__all__ = [
    "Callback",
    "Dataset",
    "EarlyStopping",
    "LeNet5",
    "Network",
    "Recipe",
    "Recognizer",
    "Trainer",
    "__version__",
    "load_dataset",
    "select_backend",
]

_HOME = {
    "Callback": "lenet_gpu.training.callbacks",
    "Dataset": "lenet_gpu.datasets",
    "EarlyStopping": "lenet_gpu.training.best_epoch",
    "LeNet5": "lenet_gpu.nn.lenet5",
    "Network": "lenet_gpu.nn.network",
    "Recipe": "lenet_gpu.training.recipes",
    "Recognizer": "lenet_gpu.recognition.recognizer",
    "Trainer": "lenet_gpu.training.trainer",
    "load_dataset": "lenet_gpu.datasets",
    "select_backend": "lenet_gpu.backend",
}

_NETWORKS = ("LeNet5", "Network")


def __getattr__(name: str) -> object:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        if name in _NETWORKS:
            import_module("lenet_gpu.engine.select")  # from here on networks answer by their fast engine
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
