"""The private folder of llama.cpp's socket: makes one, and sweeps those that killed processes left behind."""

import os
import socket
import tempfile
from contextlib import closing, suppress
from pathlib import Path

SOCKET_NAME = "llama.sock"
_PREFIX = "megallm-"
_SOCKET_PATH_LIMIT = 100  # the system's is 104 to 108 bytes
_LEFT_AFTER_SECONDS = 600.0  # a socket refuses for a moment between being made and being listened to


def make_folder() -> Path:
    """A new folder that only this user may enter, its path short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # 0700
    if len(os.fsencode(folder / SOCKET_NAME)) > _SOCKET_PATH_LIMIT:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    return folder


def sweep(parent: Path, now: float) -> None:
    """Removes this user's folders in *parent* whose socket nobody listens to any more; *now* is in epoch seconds.

    A folder that holds anything else, or that changed within the last minutes, stays. Never raises: what cannot
    be removed is only litter.
    """
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if _is_left(folder, now):
                (folder / SOCKET_NAME).unlink(missing_ok=True)
                folder.rmdir()


def _is_left(folder: Path, now: float) -> bool:
    found = folder.lstat()
    is_own = found.st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
    is_old = now - found.st_mtime > _LEFT_AFTER_SECONDS
    socket_path = folder / SOCKET_NAME
    return is_own and is_old and list(folder.iterdir()) == [socket_path] and _refuses(socket_path)


def _refuses(path: Path) -> bool:
    """Whether the socket's process is gone. One that is merely busy, or stopped, still queues connections."""
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
