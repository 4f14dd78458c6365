"""Doubles of the batches' seams, in memory, whose process can be made to die before or after any of its effects."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal

from megallm.batches.model import Batch, Counts, Part, Spent, StopReason
from megallm.operations.batch_ports import BatchPorts, ObjectChanged, ObjectHead

BUCKET = "bucket"
PIECE_BYTES = 1024 * 1024


class Crash(BaseException):
    """The process died here; no code of its own can catch that."""


class Process:
    """Counts the effects of one process on the world, and dies at one of them: nothing that it does counts then."""

    def __init__(self, dies_at: int | None = None, when: Literal["before", "after"] = "before") -> None:
        self.dies_at = dies_at
        self.when = when
        self.effects: list[str] = []
        self.dead = False

    def check(self) -> None:
        """A dead process does nothing."""
        if self.dead:
            raise Crash

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        """One change of the world."""
        self.check()
        self.effects.append(name)
        mine = len(self.effects) == self.dies_at
        if mine and self.when == "before":
            self.dead = True
            raise Crash
        yield
        if mine:
            self.dead = True
            raise Crash


@dataclass
class World:
    """What outlives a process: tables, objects, queues, and who was told."""

    batches: dict[str, Batch] = field(default_factory=dict)
    parts: dict[str, dict[int, Part]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, Mapping[str, str]] = field(default_factory=dict)
    part_messages: list[tuple[str, int]] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    finish_messages: list[str] = field(default_factory=list)
    job_messages: list[str] = field(default_factory=list)
    told: list[Batch] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def ports(self, process: Process | None = None) -> BatchPorts:
        """As one process sees the world."""
        process = process or Process()
        return BatchPorts(
            MemoryBatches(self, process),
            MemoryObjects(self, process),
            MemoryQueues(self, process),
            MemoryEvents(self, process),
            BUCKET,
        )


def version_of(body: bytes) -> str:
    """The version of an object in a bucket that keeps none: its ETag."""
    return f'"{sha256(body).hexdigest()[:16]}"'


class MemoryObjects:
    """An ``ObjectStore`` in a dict; it keeps no old versions."""

    def __init__(self, world: World, process: Process) -> None:
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


class MemoryBatches:
    """A ``BatchStore`` in dicts."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def create(self, batch: Batch) -> Batch:
        with self._change("create"):
            self._world.parts.setdefault(batch.id, {})
            return self._world.batches.setdefault(batch.id, batch)

    def get(self, batch_id: str) -> Batch | None:
        self._process.check()
        return self._world.batches.get(batch_id)

    def add_parts(self, parts: Sequence[Part]) -> None:
        with self._change("add parts"):
            for part in parts:
                if self._world.batches[part.batch_id].state == "indexing":
                    self._world.parts[part.batch_id].setdefault(part.number, part)

    def start(self, batch_id: str, *, total: int, parts: int, lines: str, lines_version: str) -> Batch:
        def started(batch: Batch) -> Batch:
            if batch.state != "indexing":
                return batch
            state: Literal["in_progress", "canceling"] = "in_progress" if batch.stop is None else "canceling"
            return replace(batch, state=state, total=total, parts=parts, lines=lines, lines_version=lines_version)

        return self._update("start", batch_id, started)

    def refuse(self, batch_id: str, problem: str, now: float) -> Batch:
        def refused(batch: Batch) -> Batch:
            return batch if batch.state != "indexing" else replace(batch, state="ended", problem=problem, ended_at=now)

        return self._update("refuse", batch_id, refused)

    def part(self, batch_id: str, number: int) -> Part | None:
        self._process.check()
        return self._world.parts.get(batch_id, {}).get(number)

    def parts(self, batch_id: str) -> Iterator[Part]:
        self._process.check()
        with self._world.lock:
            parts = sorted(self._world.parts.get(batch_id, {}).items())
        for _, part in parts:
            yield part

    def queued(self, batch_id: str, numbers: Sequence[int], now: float) -> None:
        with self._change("queued"):
            parts = self._world.parts[batch_id]
            for number in numbers:
                parts[number] = replace(parts[number], queued_at=now)

    def claim(self, batch_id: str, number: int, *, now: float, lease_seconds: float) -> Part | None:
        with self._change("claim"):
            part = self._world.parts.get(batch_id, {}).get(number)
            if part is None or part.done or part.leased_until > now:
                return None
            return self._put(replace(part, attempt=part.attempt + 1, leased_until=now + lease_seconds))

    def renew(self, part: Part, *, now: float, lease_seconds: float) -> bool:
        with self._change("renew"):
            mine = self._mine(part)
            if mine is not None:
                self._put(replace(mine, leased_until=now + lease_seconds))
            return mine is not None

    def release(self, part: Part) -> None:
        with self._change("release"):
            mine = self._mine(part)
            if mine is not None:
                self._put(replace(mine, leased_until=0.0))

    def checkpoint(self, part: Part, spent: Spent) -> Part | None:
        with self._change("checkpoint"):
            mine = self._mine(part)
            if mine is None or mine.segments > part.segments:
                return mine
            batch = self._world.batches[part.batch_id]
            self._world.batches[batch.id] = replace(batch, spent=batch.spent.plus(spent))
            return self._put(replace(mine, segments=mine.segments + 1))

    def complete(self, part: Part, counts: Counts, spent: Spent) -> Batch | None:
        with self._change("complete"):
            mine = self._mine(part)
            if mine is None:
                return None
            self._put(replace(mine, done=True, leased_until=0.0))
            batch = self._world.batches[part.batch_id]
            batch = replace(
                batch,
                parts_done=batch.parts_done + 1,
                counts=batch.counts.plus(counts),
                spent=batch.spent.plus(spent),
            )
            self._world.batches[batch.id] = batch
            return batch

    def stop(self, batch_id: str, reason: StopReason, now: float) -> Batch | None:
        def stopped(batch: Batch) -> Batch:
            if batch.stop is not None or batch.state == "ended":
                return batch
            batch = replace(batch, stop=reason, stop_requested_at=now)
            return batch if batch.state == "indexing" else replace(batch, state="canceling")

        return self._update("stop", batch_id, stopped) if batch_id in self._world.batches else None

    def end(self, batch_id: str, now: float) -> Batch:
        def ended(batch: Batch) -> Batch:
            return batch if batch.state == "ended" else replace(batch, state="ended", ended_at=now)

        return self._update("end", batch_id, ended)

    def list(
        self, owner: str, *, limit: int, after_id: str | None, before_id: str | None
    ) -> tuple[Sequence[Batch], bool]:
        self._process.check()
        mine = sorted(
            (batch for batch in self._world.batches.values() if batch.owner == owner),
            key=lambda batch: (batch.created_at, batch.id),
            reverse=True,
        )
        ids = [batch.id for batch in mine]
        if after_id is not None:
            mine = mine[ids.index(after_id) + 1 :] if after_id in ids else []
        if before_id is not None:
            before = mine[: ids.index(before_id)] if before_id in ids else []
            return before[-limit:], len(before) > limit
        return mine[:limit], len(mine) > limit

    def open(self) -> Iterator[Batch]:
        self._process.check()
        for batch in sorted(self._world.batches.values(), key=lambda batch: batch.id):
            if batch.state != "ended":
                yield batch

    def delete(self, batch: Batch) -> None:
        with self._change("delete"):
            self._world.batches.pop(batch.id, None)
            self._world.parts.pop(batch.id, None)

    @contextmanager
    def _change(self, name: str) -> Iterator[None]:
        with self._process.effect(name), self._world.lock:
            yield

    def _update(self, name: str, batch_id: str, change: Callable[[Batch], Batch]) -> Batch:
        with self._change(name):
            batch = self._world.batches[batch_id] = change(self._world.batches[batch_id])
            return batch

    def _mine(self, part: Part) -> Part | None:
        """The record, if this attempt still has the part and it is not done."""
        record = self._world.parts.get(part.batch_id, {}).get(part.number)
        return None if record is None or record.done or record.attempt != part.attempt else record

    def _put(self, part: Part) -> Part:
        self._world.parts[part.batch_id][part.number] = part
        return part


class MemoryQueues:
    """``BatchQueues`` as lists of messages."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def send_parts(self, batch: Batch, numbers: Sequence[int], delay_seconds: int = 0) -> None:
        with self._process.effect("send parts"), self._world.lock:
            self._world.part_messages += [(batch.id, number) for number in numbers]
            self._world.delays += [delay_seconds for _ in numbers]

    def send_finish(self, batch_id: str) -> None:
        with self._process.effect("send finish"), self._world.lock:
            self._world.finish_messages.append(batch_id)

    def send_job(self, body: str) -> None:
        with self._process.effect("send job"), self._world.lock:
            self._world.job_messages.append(body)


class MemoryEvents:
    """``BatchEvents`` as a list."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def ended(self, batch: Batch) -> None:
        with self._process.effect("tell"), self._world.lock:
            self._world.told.append(batch)
