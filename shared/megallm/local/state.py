"""The folder `.megallm/` of a clone: what a local stack leaves there for scripts and for the `megallm` command."""

import json
import os
import socket
import tempfile
from collections.abc import Callable
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


class StateFolder:
    """One `.megallm/` folder. Only its owner can read what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state_file = path / "local.json"
        self._key_file = path / "api-key"

    @property
    def log_file(self) -> Path:
        """Where the stack's JSON log lines go."""
        return self.path / "megallm.log"

    def create(self) -> None:
        """Makes the folder. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def api_key(self, make: Callable[[], str]) -> str:
        """The key of this folder: made once, the same in every run."""
        try:
            key = self._key_file.read_text().strip()
        except FileNotFoundError:
            key = ""
        if id_of(key) is None:
            key = make()
            self._write(self._key_file, key + "\n")
        return key

    def save(self, state: LocalState) -> None:
        """Replaces ``local.json`` at once: a reader sees the old or the new one, never half of it."""
        self._write(self._state_file, json.dumps(asdict(state), indent=2) + "\n")

    def load(self) -> LocalState | None:
        """What the last stack wrote; None where there is nothing, or nothing that can be read."""
        try:
            return _STATE.validate_json(self._state_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def forget(self, pid: int) -> None:
        """Removes ``local.json``, unless another stack has written it since."""
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

    A folder of another user is passed over: it would say where to send keys.
    """
    for folder in (start, *start.parents):
        state = folder / FOLDER
        if _is_own_folder(state) or _is_clone(folder):
            return StateFolder(state)
    return StateFolder(start / FOLDER)


def is_running(state: LocalState) -> bool:
    """Whether both ports of a stack answer."""
    return all(_answers(url) for url in (state.base_url, state.aws_endpoint_url))


def _is_clone(folder: Path) -> bool:
    return (folder / "shared" / "megallm" / "__init__.py").is_file() and (folder / "pyproject.toml").is_file()


def _is_own_folder(folder: Path) -> bool:
    return folder.is_dir() and folder.stat().st_uid == os.getuid()


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False
