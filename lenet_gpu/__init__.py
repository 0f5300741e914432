"""LeNet-5 (LeCun et al. 1998) from scratch on NumPy and CuPy.

Public names: `LeNet5` and `Network` (the networks), `Trainer` (fits them), `Recognizer` (reads digits with a trained
one), `fine_tune` (teaches it somebody's own digits), `load_dataset`, `select_backend`, and `__version__`; what
layers, losses and optimisers are made of is in `lenet_gpu.nn`. Names are imported when first used: importing the
package alone loads nothing, not even NumPy, so that the command line can still set the number of BLAS threads.
"""

from importlib import import_module

from lenet_gpu import hooks
from lenet_gpu._version import __version__

# Not from `typing`: in `python -m lenet_gpu` this runs before `__main__` can keep the user's files out of the search.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lenet_gpu.backend import select_backend
    from lenet_gpu.datasets import Dataset, load_dataset
    from lenet_gpu.nn.finetune import fine_tune
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.nn.network import Network
    from lenet_gpu.recognition.recognizer import Recognizer
    from lenet_gpu.training.best_epoch import EarlyStopping
    from lenet_gpu.training.callbacks import Callback
    from lenet_gpu.training.recipe import Recipe
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
    "fine_tune",
    "load_dataset",
    "select_backend",
]

_HOME = {
    "Callback": "lenet_gpu.training.callbacks",
    "Dataset": "lenet_gpu.datasets",
    "EarlyStopping": "lenet_gpu.training.best_epoch",
    "LeNet5": "lenet_gpu.nn.lenet5",
    "Network": "lenet_gpu.nn.network",
    "Recipe": "lenet_gpu.training.recipe",
    "Recognizer": "lenet_gpu.recognition.recognizer",
    "Trainer": "lenet_gpu.training.trainer",
    "fine_tune": "lenet_gpu.nn.finetune",
    "load_dataset": "lenet_gpu.datasets",
    "select_backend": "lenet_gpu.backend",
}


def _find_reader(network: "Network") -> object:
    """Find the engine that answers for a network; engines are imported when the first network is asked."""
    from lenet_gpu.engine.reading import find_reader

    return find_reader(network)


hooks.find_reader = _find_reader


def __getattr__(name: str) -> object:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
