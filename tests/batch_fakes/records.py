"""A ``BatchStore`` in memory: each write is conditional, as the real one's."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from megallm.batches.model import Batch, Counts, Part, Spent, StopReason
from megallm.operations.batch_ports import PartChanged
from tests.batch_fakes.process import Process

if TYPE_CHECKING:
    from tests.batch_fakes.world import World

_NOTHING = Spent()


class MemoryBatches:
    """A ``BatchStore`` in dicts."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    def create(self, batch: Batch) -> Batch:
        with self._change("create"):
            self._world.parts.setdefault(batch.id, {})
            if batch.id not in self._world.batches:
                self._world.untold.add(batch.id)
            return self._world.batches.setdefault(batch.id, batch)

    def get(self, batch_id: str) -> Batch | None:
        self._process.check()
        return self._world.batches.get(batch_id)

    def add_parts(self, parts: Sequence[Part]) -> None:
        with self._change("add parts"):
            for part in parts:
                if self._world.batches[part.batch_id].state == "indexing":
                    self._world.parts[part.batch_id].setdefault(part.number, part)

    def start(self, batch_id: str, *, total: int, parts: int, **found: Any) -> Batch:  # Any: the record's fields
        def started(batch: Batch) -> Batch:
            if batch.state != "indexing":
                return batch
            state: Literal["in_progress", "canceling"] = "in_progress" if batch.stop is None else "canceling"
            return replace(batch, state=state, total=total, parts=parts, **found)

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

    def begin(self, part: Part, *, deaths: int, begun_with: int) -> bool:
        with self._change("begin"):
            mine = self._mine(part)
            if mine is not None:
                self._put(replace(mine, deaths=deaths, begun_with=begun_with))
            return mine is not None

    def release(self, part: Part, *, deaths: int = 0) -> None:
        with self._change("release"):
            if (mine := self._mine(part)) is not None:
                self._put(replace(mine, leased_until=0.0, queued_at=0.0, held=0, deaths=deaths))
                self._add(part, committed=-mine.held)

    def hold(self, part: Part, microdollars: int, limit: int) -> Part | None:
        with self._change("hold"):
            mine = self._mine(part)
            if mine is None or mine.held == part.held + microdollars:
                return mine
            if mine.held != part.held:
                raise PartChanged(mine)
            if microdollars > 0 and self._world.batches[part.batch_id].committed + microdollars > limit:
                return mine
            self._add(part, committed=microdollars)
            return self._put(replace(mine, held=mine.held + microdollars))

    def checkpoint(self, part: Part, spent: Spent, *, finished: int, late: Collection[str] = ()) -> Part | None:
        with self._change("checkpoint"):
            mine = self._mine(part)
            if mine is None or mine.segments > part.segments:
                return mine
            if mine.held != part.held or mine.late.intersection(late):
                raise PartChanged(mine)
            held = mine.held_after(spent.microdollars)
            committed = spent.microdollars + held - mine.held
            self._add(part, spent, finished=finished - mine.finished, committed=committed)
            return self._put(
                replace(mine, segments=mine.segments + 1, finished=finished, held=held, late=mine.late.union(late))
            )

    def complete(self, part: Part, counts: Counts, spent: Spent, *, late: Collection[str] = ()) -> Batch | None:
        with self._change("complete"):
            record = self._world.parts.get(part.batch_id, {}).get(part.number)
            if record is None or record.attempt != part.attempt:
                return None
            if record.done:
                return self._world.batches[part.batch_id]
            if record.held != part.held or record.late.intersection(late):
                raise PartChanged(record)
            self._put(
                replace(record, done=True, leased_until=0.0, finished=part.items, held=0, late=record.late.union(late))
            )
            batch = self._add(
                part, spent, finished=part.items - record.finished, committed=spent.microdollars - record.held
            )
            batch = replace(batch, parts_done=batch.parts_done + 1, counts=batch.counts.plus(counts))
            self._world.batches[batch.id] = batch
            return batch

    def add_late(self, part: Part, name: str, spent: Spent) -> None:
        with self._change("add late"):
            record = self._world.parts.get(part.batch_id, {}).get(part.number)
            if record is not None and name not in record.late:
                self._put(replace(record, late=record.late | {name}))
                self._add(part, spent, committed=spent.microdollars)

    def _add(self, part: Part, spent: Spent = _NOTHING, *, finished: int = 0, committed: int = 0) -> Batch:
        batch = self._world.batches[part.batch_id]
        batch = self._world.batches[batch.id] = replace(
            batch,
            spent=batch.spent.plus(spent),
            finished=batch.finished + finished,
            committed=batch.committed + committed,
        )
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

    def untold(self, batch_id: str) -> bool:
        self._process.check()
        return batch_id in self._world.untold

    def told(self, batch_id: str) -> None:
        with self._change("told"):
            if (batch := self._world.batches.get(batch_id)) is not None and batch.state == "ended":
                self._world.untold.discard(batch_id)

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
            if batch.state != "ended" or batch.id in self._world.untold:
                yield batch

    def delete(self, batch: Batch) -> None:
        with self._change("delete"):
            self._world.batches.pop(batch.id, None)
            self._world.parts.pop(batch.id, None)
            self._world.untold.discard(batch.id)

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
