"""``lenet-gpu predict MODEL test.csv``: the class of each picture in a CSV file, as Kaggle wants them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from lenet_gpu.errors import InputError

if TYPE_CHECKING:
    from lenet_gpu.datasets.raw import Raw

ENDINGS = (".csv", ".csv.gz", ".tsv", ".zip")
HEADER = "ImageId,Label"


def answer(options: argparse.Namespace) -> int | None:
    """Read the pictures of a table.

    Args:
        options: Those of ``predict``.

    Returns:
        The exit status; None if no file is a table, so that there is nothing to do here.

    Raises:
        InputError: A table beside other files, `--out` without a table, or a file that can't be written.
        DataError: The table can't be read.
    """
    tables = [path for path in map(Path, options.files) if path.name.lower().endswith(ENDINGS)]
    if not tables:
        if options.out is not None:
            raise InputError(
                "--out", found="no table among the files", expected="a CSV file of pictures, or a zip with one",
                remedy="leave it out: answers to single pictures are printed",
            )  # fmt: skip
        return None
    if len(options.files) > 1:
        raise InputError(
            tables[0], found="a table beside other files", expected="it alone", remedy="read one after the other"
        )
    from lenet_gpu.datasets.settle import convert
    from lenet_gpu.nn.network import Network
    from lenet_gpu.storage.atomic import output_file, write_atomically

    if options.out is not None and output_file(options.out).exists() and not options.force:
        raise InputError(
            options.out, found="a file that exists", expected="a new name", remedy="name another, or give --force"
        )
    network = Network.load(options.model)
    raw = _table(tables[0])
    best = network.outputs(convert(raw)).argmax(axis=1)
    names = network.class_labels or tuple(range(network.classes))
    labels = [names[number] for number in best.tolist()]
    if options.out is not None:
        lines = [HEADER, *(f"{number},{_field(label)}" for number, label in enumerate(labels, 1))]
        write_atomically(options.out, lambda file: file.write(("\n".join(lines) + "\n").encode()))
        print(f"wrote     {options.out}: {len(labels):,} answers")
    elif options.json:
        print(json.dumps({"file": str(tables[0]), "labels": labels}))
    else:
        print("\n".join([HEADER, *(f"{number},{_field(label)}" for number, label in enumerate(labels, 1))]))
    return 0


def _table(path: Path) -> Raw:
    """Read a CSV file, or the one of a zip that is there to be predicted; labels in it are passed over."""
    from lenet_gpu.datasets.csv_file import read_csv
    from lenet_gpu.datasets.load import csv_members, zipped_csv
    from lenet_gpu.datasets.raw import Raw

    if path.suffix.lower() != ".zip":
        table = read_csv(path)
        return Raw(table.images, table.labels, str(path), {}, transposed="emnist" in path.name.lower())
    members = csv_members(path)
    fitting = [name for name in members if "test" in name.rsplit("/", 1)[-1].lower()]
    if len(fitting or members) != 1:
        raise InputError(
            path,
            found=f"the CSV files {', '.join(members) or '(none)'}",
            expected="one, or one with test in its name",
            remedy="unpack the zip, and name the file",
        )
    return zipped_csv(path, (fitting or members)[0])


def _field(label: int | str) -> str:
    """Write a label as a field of a CSV file."""
    text = str(label)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
