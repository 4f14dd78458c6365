"""The folders of llama.cpp's sockets: those of killed processes go, all others stay."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from megallm.providers.embedded.folders import SOCKET_NAME, sweep

HOUR_SECONDS = 3600


@pytest.fixture
def parent() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def leave(parent: Path, name: str) -> Path:
    """A folder as a killed process leaves it: the socket is there, and nobody listens."""
    folder = parent / name
    folder.mkdir(0o700)
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(folder / SOCKET_NAME))
        left.listen()
    return folder


def test_what_killed_processes_left_is_removed(parent: Path) -> None:
    """Each of them."""
    leave(parent, "megallm-one")
    leave(parent, "megallm-two")

    sweep(parent, time.time() + HOUR_SECONDS)

    assert list(parent.iterdir()) == []


def test_a_socket_that_somebody_listens_to_stays(parent: Path) -> None:
    """Whatever its age."""
    folder = parent / "megallm-alive"
    folder.mkdir()
    with closing(socket.socket(socket.AF_UNIX)) as alive:
        alive.bind(str(folder / SOCKET_NAME))
        alive.listen()

        sweep(parent, time.time() + HOUR_SECONDS)

    assert (folder / SOCKET_NAME).exists()


def test_a_process_that_is_just_starting_keeps_its_folder(parent: Path) -> None:
    """Its socket may not be listened to yet, or not even be there."""
    young = leave(parent, "megallm-young")
    empty = parent / "megallm-empty"
    empty.mkdir()
    os.utime(empty, (0, 0))

    sweep(parent, time.time())

    assert sorted(parent.iterdir()) == [empty, young]


def test_what_is_not_such_a_folder_stays(parent: Path) -> None:
    """Other names, links, and folders that hold something else."""
    other = leave(parent, "other-one")
    with_more = leave(parent, "megallm-more")
    (with_more / "notes").touch()
    link = parent / "megallm-link"
    link.symlink_to(other, target_is_directory=True)
    file = parent / "megallm-file"
    file.touch()

    sweep(parent, time.time() + HOUR_SECONDS)

    assert sorted(parent.iterdir()) == sorted([other, with_more, link, file])
    assert (other / SOCKET_NAME).exists()
