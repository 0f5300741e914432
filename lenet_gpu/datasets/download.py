"""Fetch a file over HTTP so that it is whole and right under its name, or not there at all.

Bytes go to NAME.part in the same folder, which a later run resumes. Only what passes the caller's check is
moved to NAME, in one step.
"""

from __future__ import annotations

import errno
import http.client
import os
import secrets
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lenet_gpu._version import __version__
from lenet_gpu.datasets.archive import verify_archive
from lenet_gpu.datasets.lock import folder_error, passes, publish
from lenet_gpu.datasets.mirrors import TIMEOUT, Archive
from lenet_gpu.errors import DataError, DownloadError
from lenet_gpu.quiet import is_quiet

CHUNK = 1 << 16
LEAST_PACE = 1024  # bytes within TIMEOUT: below that a server drips only to keep the connection open
TRIES = 5  # at one mirror, as long as each try gets further than the one before


class _Broken(Exception):
    """A transfer that failed, though another try or another mirror may succeed."""


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    check: Callable[[Path], None],
    most_bytes: int,
    locked: bool = True,
    progress: bool = True,
    timeout: float = TIMEOUT,
) -> None:
    """Put a good copy of a file at `target`, from the first mirror that gives one.

    Args:
        urls: Complete addresses of the same file, in the order tried.
        target: Where it goes, in a folder that exists and whose lock the caller holds (`locked_folder`).
        check: Raises DataError if the file at a path is not the right one.
        most_bytes: No more than this is ever written.
        locked: False if the folder's file system has no locks: then nothing is resumed.
        progress: Whether to show a progress bar on standard error.
        timeout: Seconds without data after which a connection is given up.

    Raises:
        DownloadError: In one line, if no mirror gave a good copy.
        DataError: The folder can't take it.
    """
    # Without a lock another process may be at work too: then a name that nobody else writes to.
    partial = target.with_name(f"{target.name}.part" if locked else f"{target.name}.{secrets.token_hex(8)}.part")
    failures = []
    try:
        if passes(check, partial):  # whole already: the last run was stopped just before it could publish
            publish(partial, target)
            return
        for url in urls:
            failure = _from_mirror(url, partial, check, most_bytes, progress=progress, timeout=timeout)
            if failure is None:
                publish(partial, target)
                return
            failures.append(f"{url}: {failure}")
    finally:
        if not locked:
            partial.unlink(missing_ok=True)
    raise DownloadError(
        f"can't download {target.name}",
        found="; ".join(failures),
        expected="a whole, unaltered file from one of them",
        remedy=f"check the network (http_proxy, https_proxy) and try again, or put it into {target.parent}",
    )


def fetch_archive(
    archive: Archive, mirrors: Sequence[str], folder: Path, *, locked: bool, progress: bool, timeout: float
) -> Path:
    """Ensure that a folder holds a published zip (see `fetch`).

    Args:
        archive: The zip.
        mirrors: Addresses that its name is appended to, in the order tried.
        folder: The folder, which exists and whose lock the caller holds.
        locked: See `fetch`.
        progress: See `fetch`.
        timeout: See `fetch`.

    Returns:
        The path of the zip.

    Raises:
        DataError: If no mirror gave a good copy or the folder can't take it.
    """
    path = folder / archive.name

    def check(candidate: Path) -> None:
        verify_archive(archive, candidate)

    if not passes(check, path):
        fetch(
            [f"{mirror}{archive.name}" for mirror in mirrors],
            path,
            check=check,
            most_bytes=archive.size,
            locked=locked,
            progress=progress,
            timeout=timeout,
        )
    return path


def _from_mirror(
    url: str, partial: Path, check: Callable[[Path], None], most_bytes: int, *, progress: bool, timeout: float
) -> str | None:
    """Try one mirror; return None when `partial` is whole and right, else the reason in a few words."""
    reason = ""
    for _ in range(TRIES):
        have = _size(partial)
        try:
            _transfer(url, partial, have, most_bytes, progress=progress, timeout=timeout)
        except _Broken as error:
            reason = str(error)
            if _size(partial) > have or (have and not partial.exists()):
                continue  # it got further, or the piece that was no use is gone: worth another try
            return reason
        try:
            check(partial)
            return None
        except DataError as error:
            partial.unlink(missing_ok=True)
            reason = f"wrong content ({error.found})"
            if not have:
                return reason  # else what was resumed may have been of another file: once more from the start
    return reason


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _transfer(url: str, partial: Path, have: int, most_bytes: int, *, progress: bool, timeout: float) -> None:
    """Add what is missing to `partial`, or start it over when the server sends the whole."""
    headers = {"User-Agent": f"lenet-gpu/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        opener = urllib.request.build_opener()  # takes the proxies from the environment as it is now
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            partial.unlink(missing_ok=True)  # longer than the file: not a piece of it
        raise _Broken(f"HTTP {error.code} {error.reason}".strip()) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Broken(_network_reason(error, timeout)) from error
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # it ignores ranges: this is the whole file again
        total = None if response.length is None else have + response.length
        if total is not None and total > most_bytes:
            if have:
                partial.unlink(missing_ok=True)  # what is there and what would come don't fit together
            raise _Broken(f"the server announced {total:,} bytes, more than the {most_bytes:,} it can have")
        if response.length is not None and shutil.disk_usage(partial.parent).free < response.length:
            partial.unlink(missing_ok=True)
            raise folder_error(partial.parent, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), response.length)
        _write(response, partial, have, total, most_bytes, progress=progress, timeout=timeout)


def _write(
    response: Any,
    partial: Path,
    have: int,
    total: int | None,
    most_bytes: int,
    *,
    progress: bool,
    timeout: float,
) -> None:
    """Copy the body to `partial` until its end, a stall, or more than there may be."""
    from tqdm import tqdm

    name = partial.name.removesuffix(".part")
    with (
        _opened(partial, have) as file,
        tqdm(
            total=total,
            initial=have,
            unit="B",
            unit_scale=True,
            desc=name,
            file=sys.stderr,
            disable=is_quiet() or not progress,
        ) as bar,
    ):
        window_start, window_bytes = time.monotonic(), 0
        while True:
            try:
                chunk = response.read1(CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _Broken(_network_reason(error, timeout)) from error
            if not chunk:
                break
            have += len(chunk)
            if have > most_bytes:
                partial.unlink(missing_ok=True)
                raise _Broken(f"the server sent more than the {most_bytes:,} bytes it can have")
            _append(file, chunk, partial, total)
            bar.update(len(chunk))
            window_bytes += len(chunk)
            if (now := time.monotonic()) - window_start > timeout:
                if window_bytes < LEAST_PACE:
                    raise _Broken(f"stalled: {window_bytes} bytes in {timeout:g} s")
                window_start, window_bytes = now, 0
    if total is not None and have < total:
        raise _Broken(f"the connection ended after {have:,} of {total:,} bytes")


def _opened(partial: Path, have: int) -> Any:
    try:
        return open(partial, "ab" if have else "wb", buffering=0)
    except OSError as error:
        raise folder_error(partial.parent, error) from error


def _append(file: Any, chunk: bytes, partial: Path, total: int | None) -> None:
    """Write all of `chunk`; when the disk refuses, leave no rubbish on it."""
    rest = memoryview(chunk)
    try:
        while rest:  # an unbuffered write may take fewer bytes
            rest = rest[file.write(rest) :]
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise folder_error(partial.parent, error, total) from error


def _network_reason(error: Exception, timeout: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"stalled: no data for {timeout:g} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return str(cause) or type(cause).__name__
