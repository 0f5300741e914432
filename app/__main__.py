"""Opens the app: `python app` or `python -m app` in a checkout, `python -m lenet_gpu_app` where it is installed."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    package = __package__
    if not package:  # `python app` starts a folder, and only a package's modules can import one another
        folder = Path(__file__).resolve().parent
        sys.path[0], package = str(folder.parent), folder.name
    from lenet_gpu.errors import LenetError

    try:
        import_module(".main", package).run()
    except LenetError as error:
        print(f"lenet-gpu: error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
