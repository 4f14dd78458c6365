"""The folder `.megallm/` of a clone: what a local stack leaves there for scripts and for the `megallm` command."""

import errno
import fcntl
import ipaddress
import json
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from megallm.keys import id_of

FOLDER = ".megallm"
_CONNECT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LocalState:
    """The content of ``local.json``: where the stack of this folder listens, and with what.

    ``queues`` maps a role to the URL of its queue.
    """

    base_url: str
    api_key: str
    aws_endpoint_url: str
    region: str
    keys_table: str
    bucket: str
    queues: dict[str, str]
    model: str
    pid: int


_STATE = TypeAdapter(LocalState)


class UnreadableState(Exception):
    """``local.json`` is there, but the system does not let it be read; the message says which file and why."""


class AlreadyRunning(Exception):
    """A stack of this folder runs; the message says where, and how to go on."""


class StateFolder:
    """One `.megallm/` folder. Only its owner can read what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state_file = path / "local.json"
        self._key_file = path / "api-key"
        self._lock_file = path / "stack.lock"

    @property
    def log_file(self) -> Path:
        """Where the stack's JSON log lines go."""
        return self.path / "megallm.log"

    @property
    def results(self) -> Path:
        """The folder where the results of batches stay, in a folder of each batch's own."""
        return self.path / "results"

    def create(self) -> None:
        """Makes the folder. Raises OSError, also for one of another user or a link to elsewhere."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_own_folder(self.path):
            raise PermissionError(errno.EPERM, "It is not a folder of your own", str(self.path))
        self.path.chmod(0o700)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps every other stack out of the folder; the system lets go when the process ends, however it ends.

        Raises AlreadyRunning, UnreadableState or OSError.
        """
        with os.fdopen(os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(_already_running(self.load(), self.path)) from None
            yield

    def api_key(self, make: Callable[[], str]) -> str:
        """The key of this folder: made once, the same in every run."""
        try:
            key = self._key_file.read_text().strip()
        except (FileNotFoundError, UnicodeDecodeError):
            key = ""
        if id_of(key) is None:
            key = make()
            self._write(self._key_file, key + "\n")
        return key

    def save(self, state: LocalState) -> None:
        """Replaces ``local.json`` at once: a reader sees the old or the new one, never half of it."""
        self._write(self._state_file, json.dumps(asdict(state), indent=2) + "\n")

    def load(self) -> LocalState | None:
        """What the last stack wrote; None where there is nothing, or nothing that can be believed.

        That is: in a folder of another user, or with an address that is not this machine's. Raises UnreadableState.
        """
        if not _is_own_folder(self.path):
            return None
        try:
            state = _STATE.validate_json(self._state_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        except OSError as error:
            raise UnreadableState(
                f"{self._state_file} cannot be read ({error.strerror or error}). "
                "Remove it: a running stack is then stopped and started again."
            ) from error
        addresses = (state.base_url, state.aws_endpoint_url, *state.queues.values())
        return state if all(map(_is_loopback_url, addresses)) else None

    def forget(self, pid: int) -> None:
        """Removes ``local.json``, unless another stack has written it since. Never fails: it is for the way out."""
        with suppress(OSError, UnreadableState):
            state = self.load()
            if state is not None and state.pid == pid:
                self._state_file.unlink(missing_ok=True)

    def _write(self, path: Path, text: str) -> None:
        # mkstemp makes the file with mode 0600.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=self.path)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise


def find(start: Path) -> StateFolder:
    """The state folder for a working directory: that of the clone around it, else one in the directory itself.

    What belongs to another user, or is a link, is passed over: it would say where to send keys.
    """
    for folder in (start, *start.parents):
        state = folder / FOLDER
        if not _is_own_folder(folder):
            continue
        if _is_own_folder(state) or (_is_clone(folder) and not os.path.lexists(state)):
            return StateFolder(state)
    return StateFolder(start / FOLDER)


def is_running(state: LocalState) -> bool:
    """Whether both ports of a stack answer."""
    return all(_answers(url) for url in (state.base_url, state.aws_endpoint_url))


def _is_clone(folder: Path) -> bool:
    return (folder / "shared" / "megallm" / "__init__.py").is_file() and (folder / "pyproject.toml").is_file()


def _is_own_folder(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_loopback_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme == "http" and parts.port is not None and ipaddress.ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False


def _already_running(state: LocalState | None, folder: Path) -> str:
    if state is None:
        return f"A stack of {folder.parent} is just starting. Wait for it, or start another one in another clone."
    return (
        f"The stack of {folder.parent} runs already: {state.base_url}, process {state.pid}. Use that one, stop it "
        f"(Ctrl-C there, or kill {state.pid}), or start another one in another clone."
    )


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False
