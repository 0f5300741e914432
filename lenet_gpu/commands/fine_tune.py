"""``lenet-gpu train --from MODEL --dataset PATH``: teach a trained model somebody's own digits."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet_gpu.errors import DataError, InputError, TrainingError

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.nn.network import Network

LEAST = 10
"""Pictures to learn from below which nothing can be said of anybody's hand."""

LEAST_READ = 0.5
"""Share of the pictures that must be read as their labels say once they are learnt: of digits with the right labels
far more are, of those with wrong ones a few."""

OF_TRAINING = (
    *("recipe", "epochs", "copies", "batch_size", "learning_rate", "distortions", "loss", "seed", "add", "engine"),
    *("threads", "validation", "patience", "resume", "device", "devices"),
)
"""Options that fine-tuning, which takes a second and has no chance in it, does without."""


def fine_tune_command(options: argparse.Namespace) -> int:
    """Fine-tune; see the parser of `train` for the options."""
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.nn.finetune import can_fine_tune, fine_tune
    from lenet_gpu.nn.network import Network
    from lenet_gpu.storage.atomic import write_atomically
    from lenet_gpu.storage.shipped_models import model_path
    from lenet_gpu.training.checkpoint import COMMAND_FILE, MODEL_FILE, plain_name
    from lenet_gpu.training.repeat import fine_tuning_command
    from lenet_gpu.training.run_folder import check_new_run, new_run

    _refuse_others(options)
    given = getattr(options, "from")
    path = model_path(given)
    network = Network.load(path)
    if not can_fine_tune(network):
        raise InputError(
            path,
            found=f"a network {getattr(network, 'variant', 'of its own')} of {network.classes} classes",
            expected="LeNet-5 with a softmax output for the ten digits",
            remedy="name a shipped model: --from touch",
        )
    check_new_run(options.out, force=options.force)
    data = load_dataset(options.dataset, data_dir=options.data_dir, download=not options.no_download)
    _check_data(data, given)
    name = f"{Path(plain_name(data.name)).stem}-from-{Path(plain_name(str(given))).stem}"
    with new_run(options.out, name, 4 * network.parameters.nbytes + (1 << 16), force=options.force) as folder:
        print(f"model     {given}, {network.parameters.size:,} parameters")
        test = 0 if data.test is None else len(data.test)
        print(f"data      {data.name}, {len(data.train):,} training and {test:,} test images", flush=True)
        found = fine_tune(network, data.train.images, data.train.labels)
        shares = f"{100 * found.before:.1f} % of your digits were read right before"
        doubt = ""
        if found.reason == "check_fell":
            doubt = "no more can be without reading other people's digits worse"
        elif found.accepted and found.after < LEAST_READ:
            doubt = f"learning them leaves it at {100 * found.after:.1f} %"
        if doubt:
            raise TrainingError(
                f"fine-tuning {given}: {shares}, and {doubt}", remedy="look whether their labels are right"
            )
        if found.accepted:
            print(f"learned   {shares}, {100 * found.after:.1f} % now; other people's digits, "
                  f"{100 * found.check_before:.1f} % before, {100 * found.check_after:.1f} % now")  # fmt: skip
        else:
            print(f"learned   nothing: {shares}, and nothing reads more of them; the model is a copy")
        figures = _figures(network, found.model, data)
        if "test_accuracy" in figures:
            print(f"test      of digits that were not learned {100 * figures['test_accuracy_before']:.1f} % before, "
                  f"{100 * figures['test_accuracy']:.1f} % now")  # fmt: skip
        origin = {"from": plain_name(str(given)), "from_sha256": _sha256(path)}
        model = found.model
        model.record["fine_tuned"] |= {
            **origin, "dataset": plain_name(data.name), "digests": dict(data.digests), **figures,
        }  # fmt: skip
        line = fine_tuning_command(given, options.dataset, options.data_dir)
        write_atomically(folder / COMMAND_FILE, lambda file: file.write(f"{line}\n".encode()))
        model.save(folder / MODEL_FILE)
        print(f"wrote     {folder}: {COMMAND_FILE}, {MODEL_FILE}")
        print(f"repeat    {line}")
    return 0


def _refuse_others(options: argparse.Namespace) -> None:
    """Refuse what only a training from scratch has, and a call without digits."""
    for name in OF_TRAINING:
        value = getattr(options, name)
        if value is not None and value is not False:
            raise InputError(
                f"--{name.replace('_', '-')} with --from",
                found="an option of training from scratch",
                expected="only --dataset, --data-dir, --out and --force",
                remedy="leave one of them out",
            )
    if options.backend == "gpu":
        raise InputError(
            "--backend gpu with --from",
            found="a GPU",
            expected="the CPU, which fine-tunes in a second",
            remedy="leave --backend out",
        )
    if options.dataset is None:
        raise InputError(
            "--from", found="no --dataset", expected="your digits", remedy="say where they are: --dataset PATH"
        )


def _check_data(data: Dataset, given: object) -> None:
    """Refuse data that is no digits, or too few of them."""
    if data.class_labels != tuple(range(10)):
        shown = ", ".join(map(str, data.class_labels[:6])) + (" ..." if data.classes > 6 else "")
        raise DataError(
            f"data set {data.name}",
            found=f"the classes {shown}",
            expected=f"the digits 0 to 9, which {given} reads",
            remedy="train on it alone: leave out --from",
        )
    if len(data.train) < LEAST:
        raise DataError(
            f"data set {data.name}",
            found=f"{len(data.train)} pictures to learn from",
            expected=f"at least {LEAST}",
            remedy="add some: 20 to 200 are enough",
        )


def _figures(before: Network, after: Network, data: Dataset) -> dict[str, Any]:
    """Measure both networks on the digits that were not learned."""
    if data.test is None:
        return {}
    return {
        "test_images": len(data.test),
        "test_accuracy_before": before.evaluate(data.test.images, data.test.labels).accuracy,
        "test_accuracy": after.evaluate(data.test.images, data.test.labels).accuracy,
    }


def _sha256(path: Path) -> str:
    """Digest a model file, which tells exactly which one it was."""
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
