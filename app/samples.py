"""The user's own digits: kept as strokes on the device, so that the network can learn this handwriting.

One JSON object a line, appended and synchronised to the disk one by one, so that a crash at any moment loses
at most the digit being written. Nothing leaves the device unless the user exports it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.storage.atomic import write_atomically

from .sample import Sample
from .user_folder import BROKEN, check_writable, make_folder, read_file, remove, set_aside

FILE = "samples.jsonl"


@dataclass(frozen=True)
class Export:
    """The files that `SampleStore.export` has written.

    Attributes:
        csv: The data set that `lenet-gpu train --add` takes.
        strokes: The strokes behind it, in the same order.
        count: Number of digits.
    """

    csv: Path
    strokes: Path
    count: int


class SampleStore:
    """The samples of one folder.

    Args:
        folder: The app's folder of user data; made when the first sample comes.
        read_only: Whether another app has the folder: then nothing in it is changed.

    Attributes:
        message: "samples_aside" when lines of the file had to be set aside, else empty.
    """

    def __init__(self, folder: str | os.PathLike[str], read_only: bool = False) -> None:
        self._read_only = read_only
        self.path = Path(folder) / FILE
        self.message = ""
        self._samples: list[Sample] = []
        self._read()

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(tuple(self._samples))

    def add(self, strokes: Sequence[Any], label: int | None, predicted: int | None = None) -> Sample:
        """Keep a digit.

        Args:
            strokes: (n, 2) arrays, x right, y down, any unit.
            label: The digit it is, 0..9; None for no digit.
            predicted: The digit that was read, if any.

        Returns:
            The sample as it was kept.

        Raises:
            InputError: Not a digit's strokes, or the disk doesn't take it; then nothing is kept.
        """
        try:
            whole = [None if digit is None else int(digit) for digit in (label, predicted)]
            arrays = [np.asarray(stroke, dtype=np.float32) for stroke in strokes]
            values = {"label": whole[0], "predicted": whole[1], "strokes": arrays}
            line = Sample.from_json(values).to_json()
        except (ValueError, TypeError) as error:
            expected = "strokes of finite (x, y) points and digits 0..9"
            raise InputError("sample", found=str(error), expected=expected) from None
        check_writable(self.path, self._read_only)
        sample = Sample.from_json(line)  # what will be read again, rounding included
        make_folder(self.path.parent)
        self._append(_line(sample))
        self._samples.append(sample)
        return sample

    def find(self, strokes: Sequence[np.ndarray]) -> Sample | None:
        """Find the sample of a drawing, whatever its label; None if there is none."""
        wanted = [np.asarray(stroke, dtype=np.float32) for stroke in strokes]

        def same(one: Sample) -> bool:
            pairs = list(zip(one.strokes, wanted, strict=False))
            return len(one.strokes) == len(wanted) and all(
                a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=0.0) for a, b in pairs
            )

        return next((one for one in reversed(self._samples) if same(one)), None)

    def remove(self, sample: Sample) -> None:
        """Forget a sample, on the disk too.

        Args:
            sample: One of them; another changes nothing.

        Raises:
            InputError: The file can't be changed.
        """
        at = next((i for i, one in enumerate(self._samples) if one is sample), None)
        if at is None:
            return
        check_writable(self.path, self._read_only)
        self._take_out(_line(sample))
        del self._samples[at]

    def remove_last(self) -> Sample | None:
        """Forget the newest sample, on the disk too.

        Returns:
            It, or None if there is none.

        Raises:
            InputError: The file can't be changed.
        """
        if not self._samples:
            return None
        last = self._samples[-1]
        self.remove(last)
        return last

    @property
    def digits(self) -> list[Sample]:
        """The samples that are digits, oldest first."""
        return [sample for sample in self._samples if sample.label is not None]

    def clear(self) -> None:
        """Forget all samples, what was set aside as broken, and what a killed app has left half written.

        Raises:
            InputError: A file can't be removed.
        """
        check_writable(self.path, self._read_only)
        remove(self.path)
        remove(self._broken)
        for left in self.path.parent.glob(f".{FILE}*.part"):
            remove(left)
        self._samples = []

    def export(self, path: str | os.PathLike[str]) -> Export:
        """Write the digits among the samples as a data set.

        Args:
            path: The CSV file to write (".csv" is added if it is missing): label, then 784 pixels, one digit
                a row, as `lenet-gpu train --add` takes it beside MNIST, however few there are.
                NAME.strokes.json beside it has the strokes.

        Returns:
            What was written.

        Raises:
            InputError: There are no samples, or the place can't be written to.
        """
        target = Path(path)
        if target.suffix.lower() != ".csv":
            target = target.with_name(target.name + ".csv")
        digits = self.digits
        if not digits:
            raise InputError("samples", found="none", expected="at least one", remedy="teach the app a digit first")
        make_folder(target.parent)
        header = ",".join(["label", *(f"pixel{i}" for i in range(784))])
        rows = [",".join(map(str, [sample.label, *sample.image().ravel().tolist()])) for sample in digits]
        text = "\n".join([header, *rows, ""])
        strokes = target.with_suffix(".strokes.json")
        content = {"axes": "x right, y down", "samples": [sample.to_json() for sample in digits]}
        write_atomically(target, lambda file: file.write(text.encode()))
        write_atomically(strokes, lambda file: file.write(json.dumps(content).encode()))
        return Export(target, strokes, len(digits))

    # ---- the file

    @property
    def _broken(self) -> Path:
        return self.path.with_name(self.path.name + BROKEN)

    def _read(self) -> None:
        try:
            content = read_file(self.path)
        except OSError:
            self.message = "samples_aside"
            return
        except ValueError:  # no ordinary file, or far too long: kept whole under another name
            set_aside(self.path)
            self.message = "samples_aside"
            return
        if content is None:
            return
        bad: list[bytes] = []
        for line in content.split(b"\n"):
            try:
                if line:
                    self._samples.append(Sample.from_json(json.loads(line)))
            except (ValueError, RecursionError):
                bad.append(line)
        # A last line without its end was torn by a crash, unless it was only the end that was lost.
        if not bad and (content.endswith(b"\n") or not content):
            return
        if self._read_only:  # the other app may be writing that line just now
            return
        try:
            if bad:
                self.message = "samples_aside"
                with open(self._broken, "ab") as file:  # kept before it leaves the file it was in
                    file.write(b"".join(line + b"\n" for line in bad))
                    os.fsync(file.fileno())
            self._rewrite(self._samples)
        except (OSError, InputError):
            self.message = "samples_aside"

    def _append(self, line: bytes) -> None:
        before = None
        try:
            with open(self.path, "ab", buffering=0) as file:
                before = file.tell()
                if file.write(line) != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(file.fileno())
        except OSError as error:
            if before is not None:
                self._cut(before)
            raise InputError(
                self.path,
                found=f"{error.strerror or error}",
                expected="a file to write to",
                remedy="free some space",
            ) from error

    def _cut(self, size: int) -> None:
        """Take half a line back; if even that fails, the next start sets it aside."""
        try:
            os.truncate(self.path, size)
        except OSError:
            self.message = "samples_aside"

    def _take_out(self, line: bytes) -> None:
        """Remove one line, the last that is like it; whatever else another program has written there stays."""
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(
                self.path, found=f"{error.strerror or error}", expected="a file to read", remedy="check its rights"
            ) from error
        for i in reversed(range(len(lines))):
            if lines[i].rstrip(b"\n") == line.rstrip(b"\n"):
                del lines[i]
                break
        write_atomically(self.path, lambda file: file.write(b"".join(lines)))

    def _rewrite(self, samples: Sequence[Sample]) -> None:
        text = b"".join(_line(sample) for sample in samples)
        write_atomically(self.path, lambda file: file.write(text))


def _line(sample: Sample) -> bytes:
    """Write a sample as a line of the file."""
    return json.dumps(sample.to_json(), separators=(",", ":")).encode() + b"\n"
