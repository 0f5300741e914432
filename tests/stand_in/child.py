"""What the tests run in a process of its own beside a fake CuPy.

`child.py ACTION...`: "auto", "gpu" and "cpu" choose that backend and compute with it, "doctor" is the command.
The first action that fails ends the process, as it ends the command line.
"""

import json
import sys
from pathlib import Path

from lenet_gpu.backend.backend import select_backend
from lenet_gpu.errors import LenetError


def work(name):
    """Choose a backend by name, compute with it, and say what came of it."""
    backend = select_backend(name)
    array = backend.asarray([[1.0, 2.0], [3.0, 4.0]], "float32")
    result = backend.to_host((array @ array + 1.0).sum(axis=0))
    backend.synchronize()
    answer = {
        "name": backend.name,
        "device_name": backend.device_name,
        "module": backend.xp.__name__,
        "array": type(array).__module__,
        "result": result.tolist(),
        "host": type(result).__module__,
        "memory_used": backend.memory_used(),
        "cupy_imported": "cupy" in sys.modules,
        "probe_imported": "lenet_gpu.backend.probe" in sys.modules,
    }
    print(json.dumps(answer))


def main(actions):
    """Run the actions and return the exit status."""
    if actions != ["cpu"]:
        from lenet_gpu.backend import probe

        # Whether the machine that runs the tests has an NVIDIA driver must not matter.
        probe.DRIVER_FILE = Path("no such file")
    for action in actions:
        if action == "doctor":
            from lenet_gpu.report import doctor

            return doctor.run(as_json=True)
        try:
            work(action)
        except LenetError as error:
            print(error, file=sys.stderr)
            return error.exit_status
    return 0


sys.exit(main(sys.argv[1:]))
