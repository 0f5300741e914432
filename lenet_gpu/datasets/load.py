"""`load_dataset`: from a name or a path to a validated `Dataset`."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lenet_gpu.datasets.archive import member_names, opened, read_bytes
from lenet_gpu.datasets.assemble import assemble
from lenet_gpu.datasets.csv_file import MOST_BYTES, Table, read_csv, read_csv_stream
from lenet_gpu.datasets.dataset import Dataset
from lenet_gpu.datasets.idx_folder import is_idx, pair_of, raw_folder, read_idx_folder, read_pair
from lenet_gpu.datasets.image_folder import SETS, read_picture_sets
from lenet_gpu.datasets.locations import find_in_zip, find_members, has_archive
from lenet_gpu.datasets.mirrors import COLLECTIONS, EMNIST_DIGITS
from lenet_gpu.datasets.named import load_collection, read_collection
from lenet_gpu.datasets.npy_files import partners, read_array_files
from lenet_gpu.datasets.pendigits import NAME as PENDIGITS
from lenet_gpu.datasets.pendigits import load_pendigits
from lenet_gpu.datasets.raw import Raw
from lenet_gpu.datasets.zip_folder import ZipFolder
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.input_files import check_input, unpacked_limit, unreadable

LOGGER = logging.getLogger("lenet_gpu")

FORMS = (
    "idx files, CSV, .npz or .npy, pictures in folders named by class, each as one set or as train, valid and test, "
    "a zip of such folders, of Kaggle's CSV files or EMNIST's"
)
KNOWN = (*COLLECTIONS, PENDIGITS)
CSV_ENDINGS = (".csv", ".csv.gz", ".tsv")


def load_dataset(
    source: str | os.PathLike[str] = "mnist",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = True,
) -> Dataset:
    """Load a data set of handwritten digits.

    `"mnist"`, `"emnist-digits"` and `"pendigits"` (pen strokes, drawn as MNIST's digits are) are searched for in the
    clone of this project, in `data/` of the working directory and in the user's cache (`LENET_GPU_CACHE` overrides
    where that is), then downloaded into the cache; wherever they come from, their SHA-256 is compared with the
    published one. Anything else is a path to the user's data, in any form that docs/howto/your_data.md lists. If such
    data are one set only, a sixth of each class is held out for the test split, and that is said.

    Args:
        source: `"mnist"`, `"emnist-digits"`, `"pendigits"`, or a path (for a folder of such a name write `./mnist`).
        data_dir: For a data set known by name: the only folder searched.
        download: True if a data set known by name may be downloaded.
        progress: True if a long job shows a progress bar on standard error.

    Returns:
        The data set: `.train` and `.test` with images (n, 28, 28) uint8 and labels (n,) uint8.

    Raises:
        DataError: If it is missing, damaged or of no known form.
        InputError: If `data_dir` is given together with a path.
    """
    folder = None if data_dir is None else Path(os.path.expanduser(data_dir))
    if source == PENDIGITS:
        return load_pendigits(data_dir=folder, download=download, progress=progress)
    collection = COLLECTIONS.get(source) if isinstance(source, str) else None
    if collection is not None:
        return load_collection(collection, data_dir=folder, download=download, progress=progress)
    path = Path(os.path.expanduser(source))
    if data_dir is not None:
        raise InputError(
            f"data_dir {os.fspath(data_dir)}",
            found=f"it beside the path {path}",
            expected=f"it only with {' or '.join(KNOWN)}",
            remedy="give the path alone",
        )
    if not os.fspath(source) or not os.path.exists(path):
        raise DataError(
            f"data set {os.fspath(source)!r}",
            found="no such file or folder",
            expected=f"{', '.join(KNOWN)} or a path",
            remedy="check the spelling",
        )
    name = os.fspath(source)
    load = _load_folder if os.path.isdir(path) else _load_file
    return load(path, name, progress=progress)


def load_addition(source: str | os.PathLike[str], *, download: bool = True, progress: bool = True) -> Dataset:
    """Load a data set to be added to another one, which has a test set of its own.

    Args:
        source: As for `load_dataset`. A CSV file, as the app writes it, may have few pictures, or of one class alone:
            nothing of it is held out.
        download: True if a data set known by name may be downloaded.
        progress: True if a long job shows a progress bar on standard error.

    Returns:
        The data set; its `.train` is what to add.

    Raises:
        DataError: If it is missing, damaged or of no known form.
    """
    path = Path(os.path.expanduser(source))
    if path.name.lower().endswith(CSV_ENDINGS) and path.is_file():
        return assemble(os.fspath(source), _csv(path), addition=True)
    return load_dataset(source, download=download, progress=progress)


def _load_file(path: Path, name: str, *, progress: bool) -> Dataset:
    ending = path.name.lower()
    if is_idx(path):
        return assemble(name, read_pair(pair_of(path)))
    check_input(path, FORMS, MOST_BYTES, DataError)
    if ending.endswith(CSV_ENDINGS):
        return assemble(name, _csv(path))
    if ending.endswith((".npz", ".npy")):
        return _assembled(name, read_array_files(partners(path)))
    if ending.endswith(".zip"):
        return _load_zip(path, name, progress=progress)
    raise DataError(path, found="a file of no known form", expected=FORMS, remedy="name another file or a folder")


def _load_folder(folder: Path, name: str, *, progress: bool) -> Dataset:
    try:
        empty = not any(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error, "a folder", DataError) from error
    if empty:
        raise DataError(folder, found="an empty folder", expected=FORMS, remedy="name another folder")
    if has_archive(EMNIST_DIGITS, folder) and not any(map(is_idx, folder.iterdir())):
        return read_collection(EMNIST_DIGITS, find_members(EMNIST_DIGITS, folder), name=name, check=False)
    if (found := raw_folder(folder)) is not None:
        return _assembled(name, read_idx_folder(found))
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if tables := [path for path in files if path.name.lower().endswith(CSV_ENDINGS)]:
        return _load_tables(folder, name, {path.name: path for path in tables}, _csv)
    if arrays := [path for path in files if path.suffix.lower() in (".npz", ".npy")]:
        return _assembled(name, read_array_files(arrays))
    if (sets := read_picture_sets(folder, progress=progress)) is not None:
        return _assembled(name, sets)
    raise DataError(
        folder,
        found="no idx files, no CSV files and no class folders",
        expected=FORMS,
        remedy="name another path",
    )


def _assembled(name: str, sets: dict[str, Raw]) -> Dataset:
    return assemble(name, sets["train"], sets.get("validation"), sets.get("test"))


def _csv(path: Path) -> Raw:
    table = read_csv(path)
    return _raw(table, str(path), path.name)


def _raw(table: Table, thing: str, file: str) -> Raw:
    digests = {file.removesuffix(".gz"): table.sha256}
    return Raw(table.images, table.labels, thing, digests, transposed="emnist" in file.lower())


def _load_zip(path: Path, name: str, *, progress: bool) -> Dataset:
    """Read a zip: Kaggle's, with CSV files in it, EMNIST's, or one of class folders."""
    tables = {member.rsplit("/", 1)[-1]: member for member in csv_members(path)}
    if tables:
        return _load_tables(path, name, tables, lambda member: zipped_csv(path, str(member)))
    if any(is_idx(Path(member)) for member in member_names(path)):
        return read_collection(EMNIST_DIGITS, find_in_zip(EMNIST_DIGITS, path), name=name, check=False)
    with opened(path) as archive:
        sets = read_picture_sets(ZipFolder(path, archive), progress=progress)
    if sets is None:
        raise DataError(
            path,
            found="a zip without CSV files, idx files and class folders",
            expected=FORMS,
            remedy="name another path",
        )
    return _assembled(name, sets)


def csv_members(path: Path) -> list[str]:
    """List the CSV files in a zip.

    Args:
        path: The zip.

    Raises:
        DataError: It is damaged or none.
    """
    hidden = ("__macosx/", ".")
    return [name for name in member_names(path)
            if name.lower().endswith(".csv") and not name.lower().startswith(hidden)]  # fmt: skip


def zipped_csv(path: Path, member: str) -> Raw:
    """Read a CSV file in a zip.

    Args:
        path: The zip.
        member: Its name in there.

    Raises:
        DataError: The zip or the file is damaged.
    """
    most = unpacked_limit(os.path.getsize(path))
    content = read_bytes(path, member, most)
    return _raw(read_csv_stream(io.BytesIO(content), f"{path}:{member}", most), f"{path}:{member}", member)


def _load_tables(thing: Path, name: str, tables: Mapping[str, Any], read: Callable[[Any], Raw]) -> Dataset:
    """Read the training and the test CSV of a folder or a zip by their names; Kaggle's test.csv has no labels."""
    names = {file: place for file, place in tables.items() if "submission" not in file.lower()}
    roles: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for file in names:
        role = next((role for role in roles if any(word in file.lower() for word in SETS[role][:2])), None)
        if role is not None:
            roles[role].append(file)
    found = [file for files in roles.values() for file in files]
    if len(names) == 1:
        return assemble(name, read(next(iter(names.values()))))
    if any(len(files) > 1 for files in roles.values()) or not roles["train"] or len(found) != len(names):
        raise DataError(
            thing,
            found=f"the CSV files {', '.join(sorted(names))}",
            expected="one with train and one with test in its name",
            remedy="rename them, or give a single file to have it split",
        )
    sets = {role: read(names[files[0]]) for role, files in roles.items() if files}
    for role in ("validation", "test"):
        if role in sets and sets[role].labels is None:
            LOGGER.warning(
                "%s: %d pictures without labels, which are left for predict", sets[role].thing, len(sets[role])
            )
            del sets[role]
    return _assembled(name, sets)
