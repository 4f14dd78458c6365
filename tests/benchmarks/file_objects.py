"""An ``ObjectStore`` in a folder: for measuring, where neither memory nor an emulated S3 may be what is measured."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from megallm.operations.batch_ports import ObjectChanged, ObjectHead

_PIECE_BYTES = 1024 * 1024


class FileObjects:
    """An object is a file; there is one version of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        """Where an object is."""
        return self._folder / key

    def head(self, key: str, version: str = "") -> ObjectHead | None:
        path = self.path(key)
        return ObjectHead(key, "1", path.stat().st_size, {}) if path.exists() else None

    def read(self, key: str, start: int, end: int, version: str = "") -> bytes:
        with self._open(key) as file:
            file.seek(start)
            return file.read(end - start)

    def stream(self, key: str, version: str = "") -> Iterator[bytes]:
        with self._open(key) as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def put(self, key: str, body: bytes) -> str:
        self._made(key).write_bytes(body)
        return "1"

    def put_new(self, key: str, body: bytes) -> bool:
        path = self._made(key)
        if path.exists():
            return False
        path.write_bytes(body)
        return True

    def writer(self, key: str) -> "FileWriter":
        return FileWriter(self._made(key))

    def list(self, prefix: str) -> Iterator[str]:
        folder = self.path(prefix.rpartition("/")[0])
        keys = (str(path.relative_to(self._folder)) for path in folder.rglob("*") if path.is_file())
        yield from sorted(key for key in keys if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    def _made(self, key: str) -> Path:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _open(self, key: str) -> BinaryIO:
        try:
            return self.path(key).open("rb")
        except FileNotFoundError as error:
            raise ObjectChanged(key) from error


class FileWriter:
    """Writes beside the object, and puts it in its place at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.part")
        self._file = self._beside.open("wb")

    def write(self, piece: bytes) -> None:
        self._file.write(piece)

    def commit(self) -> str:
        self._file.close()
        self._beside.replace(self._path)
        return "1"

    def abort(self) -> None:
        self._file.close()
        self._beside.unlink()
