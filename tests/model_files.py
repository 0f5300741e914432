"""Model and checkpoint files changed by a program that knows nothing of their digest."""

import json

import numpy as np


def rewrite(path, leave_out=(), facts=(), **changes):
    """Replace entries and facts of a file, and take off its digest: it is one of an earlier version then.

    Args:
        path: A model or checkpoint file.
        leave_out: Names of entries to drop.
        facts: Facts to replace.
        changes: Arrays to replace.
    """
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name not in leave_out}
    meta = {**json.loads(arrays["meta"].tobytes()), **dict(facts)}
    meta.pop("sha256", None)
    arrays |= {"meta": np.frombuffer(json.dumps(meta).encode(), np.uint8), **changes}
    with open(path, "wb") as file:
        np.savez(file, **arrays)
