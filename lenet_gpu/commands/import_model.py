"""``lenet-gpu import``: a model file of parameters that come from another program."""

from __future__ import annotations

import argparse
from typing import Any

from lenet_gpu.commands.options import add_command, number, path, text
from lenet_gpu.errors import InputError, ModelFileError
from lenet_gpu.nn.lenet5 import VARIANTS

EXAMPLES = """\
  lenet-gpu import digits.safetensors --out model.npz             what lenet-gpu export wrote
  lenet-gpu import state.npz --background 0 --ink 1 --out model.npz   trained on pixels / 255
  lenet-gpu import letters.safetensors --labels A,B,C --out model.npz
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "make a model file of parameters by name: safetensors or .npz, also of a PyTorch module"
    parser = add_command(subparsers, "import", summary, EXAMPLES, run)
    names = "c1.weight, c1.bias, s2.coefficient ... in the shapes that export --to npz or torch writes"
    parser.add_argument("file", metavar="FILE", type=path, help=names)
    parser.add_argument("--out", type=path, metavar="MODEL", required=True, help="model file to write, .npz")
    parser.add_argument("--variant", choices=tuple(VARIANTS), help="the network (default: as the file has it)")
    scale = "input value of {} pixel (default: the file's, or the paper's {})"
    parser.add_argument("--background", type=number, metavar="X", help=scale.format("an empty", "-0.1"))
    parser.add_argument("--ink", type=number, metavar="X", help=scale.format("a full", "1.175"))
    labels = "names of the classes in their order, separated by commas (default: the file's, or 0, 1, ...)"
    parser.add_argument("--labels", type=text, metavar="A,B,...", help=labels)
    parser.add_argument("--force", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace) -> int:
    """Import; see the parser for the options."""
    import numpy as np

    from lenet_gpu.export.state_file import read_state
    from lenet_gpu.nn.extras import TEMPERATURE, check_extras
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.storage.atomic import output_file

    if options.out.suffix.lower() != ".npz":
        raise InputError(options.out, found="a name for another kind of file", expected="a name that ends in .npz")
    if output_file(options.out).exists() and not options.force:
        raise InputError(
            options.out, found="a file that exists", expected="a new name", remedy="name another, or give --force"
        )
    state, facts = read_state(options.file)
    given = {name: facts.get(name) if (value := getattr(options, name)) is None else value for name in
             ("variant", "background", "ink")}  # fmt: skip
    labels = facts.get("class_labels", []) if options.labels is None else _labels(options.labels)
    try:
        network = LeNet5.from_state(state, "cpu", class_labels=labels, **given)
    except InputError as error:
        raise ModelFileError(
            f"{options.file}, {error.thing}", found=error.found, expected=error.expected, remedy=error.remedy
        ) from None
    if "temperature" in facts:
        network.extras = {TEMPERATURE: np.array([facts["temperature"]], np.float32)}
        check_extras(options.file, network.extras, network.classes)
    network.record = {"imported": options.file.name}
    network.save(options.out)
    named = f", called {', '.join(map(str, network.class_labels[:6]))}" if network.class_labels else ""
    print(f"wrote     {options.out}: the network {network.variant}, {network.classes} classes{named}")
    print(f"          input from {network.background:g} (background) to {network.ink:g} (ink)")
    return 0


def _labels(given: str) -> list[int | str]:
    """Split the names of classes; whole numbers where all of them are."""
    names: list[int | str] = [name.strip() for name in given.split(",")]
    if all(str(name).isascii() and str(name).isdecimal() and len(str(name)) < 19 for name in names):
        return [int(name) for name in names]
    return names
