"""An ``ObjectStore`` in memory."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from megallm.operations.batch_ports import ObjectChanged, ObjectHead
from tests.batch_fakes.process import Process

if TYPE_CHECKING:
    from tests.batch_fakes.world import World

PIECE_BYTES = 1024 * 1024


def version_of(body: bytes) -> str:
    """The version of an object in a bucket that keeps none: its ETag."""
    return f'"{sha256(body).hexdigest()[:16]}"'


class MemoryObjects:
    """An ``ObjectStore`` in a dict; it keeps no old versions."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    def head(self, key: str, version: str = "") -> ObjectHead | None:
        self._process.check()
        body = self._world.objects.get(key)
        if body is None or version not in ("", version_of(body)):
            return None
        return ObjectHead(key, version_of(body), len(body), self._world.metadata.get(key, {}))

    def read(self, key: str, start: int, end: int, version: str = "") -> bytes:
        return self._body(key, version)[start:end]

    def stream(self, key: str, version: str = "") -> Iterator[bytes]:
        body = self._body(key, version)
        for start in range(0, len(body), PIECE_BYTES):
            self._process.check()
            yield body[start : start + PIECE_BYTES]

    def put(self, key: str, body: bytes) -> str:
        with self._process.effect(f"put {key}"), self._world.lock:
            self._world.objects[key] = bytes(body)
        return version_of(body)

    def put_new(self, key: str, body: bytes) -> bool:
        with self._process.effect(f"put {key}"), self._world.lock:
            is_new = key not in self._world.objects
            self._world.objects.setdefault(key, bytes(body))
        return is_new

    def writer(self, key: str) -> "MemoryWriter":
        self._process.check()
        return MemoryWriter(key, self)

    def list(self, prefix: str) -> Iterator[str]:
        self._process.check()
        with self._world.lock:
            keys = sorted(key for key in self._world.objects if key.startswith(prefix))
        yield from keys

    def delete(self, keys: Iterable[str]) -> None:
        with self._process.effect("delete objects"), self._world.lock:
            for key in keys:
                self._world.objects.pop(key, None)

    def _body(self, key: str, version: str) -> bytes:
        self._process.check()
        body = self._world.objects.get(key)
        if body is None or version not in ("", version_of(body)):
            raise ObjectChanged(key)
        return body


class MemoryWriter:
    """An ``ObjectWriter`` that keeps the pieces."""

    def __init__(self, key: str, objects: MemoryObjects) -> None:
        self._key = key
        self._objects = objects
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def commit(self) -> str:
        return self._objects.put(self._key, b"".join(self._pieces))

    def abort(self) -> None:
        self._pieces.clear()
