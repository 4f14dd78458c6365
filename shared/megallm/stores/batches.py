"""``BatchStore`` over one DynamoDB table: the records of batches and of their parts."""

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from megallm.batches.model import Batch, Counts, Part, Spent, State, StopReason
from megallm.errors import InternalError
from megallm.operations.batch_ports import PartChanged
from megallm.stores import batches_wire as wire
from megallm.stores import parts_wire
from megallm.stores.batch_items import (
    OPEN,
    PART_PREFIX,
    Item,
    batch_from_item,
    batch_key,
    number,
    open_key,
    owner_key,
    part_from_item,
    part_key,
    text,
)
from megallm.stores.batches_table import KEYS_A_READ, WRITES_A_TRANSACTION, BatchesTable, ConditionUnmet

_WRITERS = 8
_TRIES = 3  # of a write to a part that holds another sum than it was believed to


def _new_token() -> str:
    return secrets.token_hex(16)


class DynamoBatches:
    """Each write is conditional; one that is repeated after its answer was lost finds its own effect.

    Raises InternalError where DynamoDB fails, and for a batch that must be there and is not.
    """

    def __init__(self, table: BatchesTable, *, new_token: Callable[[], str] = _new_token) -> None:
        self._table = table
        self._new_token = new_token

    def create(self, batch: Batch) -> Batch:
        try:
            self._table.transact(wire.create(batch))
        except ConditionUnmet:
            return self._known(batch.id)
        return batch

    def get(self, batch_id: str) -> Batch | None:
        item = self._table.get(batch_key(batch_id))
        return batch_from_item(item) if item else None

    def add_parts(self, parts: Sequence[Part]) -> None:
        batch = self._known(parts[0].batch_id) if parts else None
        a_write = WRITES_A_TRANSACTION - 1  # one is the check of the batch
        for at in range(0, len(parts), a_write):
            assert batch is not None
            self._add(batch, parts[at : at + a_write])

    def _add(self, batch: Batch, parts: Sequence[Part]) -> None:
        """Those that are there already stay as they are: a worker may have one."""
        while parts:
            try:
                self._table.transact(wire.add_parts(batch, parts))
            except ConditionUnmet as unmet:
                past_indexing, *there = unmet.unmet
                if past_indexing:
                    return
                parts = [part for part, is_there in zip(parts, there, strict=True) if not is_there]
            else:
                return

    def start(
        self,
        batch_id: str,
        *,
        total: int,
        parts: int,
        lines: str,
        lines_version: str,
        estimated_tokens: int = 0,
        expected_end_at: float | None = None,
    ) -> Batch:
        found: dict[str, Item] = {
            "total": number(total),
            "parts": number(parts),
            "lines": text(lines),
            "lines_version": text(lines_version),
            "estimated_tokens": number(estimated_tokens),
        }
        if expected_end_at is not None:
            found["expected_end_at"] = number(expected_end_at)
        for stopped in (False, True):
            with suppress(ConditionUnmet):
                return batch_from_item(self._table.update(wire.start(batch_id, found, stopped=stopped)))
        return self._known(batch_id)

    def refuse(self, batch_id: str, problem: str, now: float) -> Batch:
        with suppress(ConditionUnmet):
            self._table.update(wire.refuse(batch_id, problem, now))
        return self._known(batch_id)

    def part(self, batch_id: str, number: int) -> Part | None:
        item = self._table.get(part_key(batch_id, number))
        return part_from_item(item) if item else None

    def parts(self, batch_id: str) -> Iterator[Part]:
        pk = batch_key(batch_id)["pk"]["S"]
        for item in self._table.query(pk, "begins_with(sk, :sk)", PART_PREFIX):
            yield part_from_item(item)

    def queued(self, batch_id: str, numbers: Sequence[int], now: float) -> None:
        def note(number: int) -> None:
            with suppress(ConditionUnmet):  # deleted meanwhile
                self._table.update(parts_wire.queued(batch_id, number, now))

        # One by one: in a transaction they would be in the way of the workers who claim these very parts.
        with ThreadPoolExecutor(min(_WRITERS, len(numbers) or 1)) as writers:
            for _ in writers.map(note, numbers):
                pass

    def claim(self, batch_id: str, number: int, *, now: float, lease_seconds: float) -> Part | None:
        token = self._new_token()
        try:
            item = self._table.update(
                parts_wire.claim(batch_id, number, now=now, until=now + lease_seconds, token=token)
            )
        except ConditionUnmet:
            found = self._table.get(part_key(batch_id, number))
            own = found is not None and found.get("claimed_by") == {"S": token}
            return part_from_item(found) if found is not None and own else None
        return part_from_item(item)

    def renew(self, part: Part, *, now: float, lease_seconds: float) -> bool:
        try:
            self._table.update(parts_wire.lease(part, now + lease_seconds))
        except ConditionUnmet:
            return False
        return True

    def begin(self, part: Part, *, deaths: int, begun_with: int) -> bool:
        try:
            self._table.update(parts_wire.begin(part, deaths, begun_with))
        except ConditionUnmet:
            return False
        return True

    def release(self, part: Part, *, deaths: int = 0) -> None:
        for _ in range(_TRIES):
            release = parts_wire.release(part, deaths)
            with suppress(ConditionUnmet):
                if part.held:
                    self._table.transact([{"Update": release}, {"Update": parts_wire.give_back(part)}])
                else:
                    self._table.update(release)
                return
            found = self._still_of(part)
            if found is None or found.held == part.held:  # a later attempt's; or it was done, and the answer lost
                return
            part = found

    def hold(self, part: Part, microdollars: int, limit: int) -> Part | None:
        is_short = False
        try:
            self._table.transact(parts_wire.hold(part, microdollars, limit))
        except ConditionUnmet as unmet:
            _, is_short = unmet.unmet
        else:
            return replace(part, held=part.held + microdollars)
        found = self._still_of(part)
        if found is None or found.held == part.held + microdollars or (is_short and found.held == part.held):
            return found
        raise PartChanged(found)

    def checkpoint(self, part: Part, spent: Spent, *, finished: int, late: Collection[str] = ()) -> Part | None:
        try:
            self._table.transact(parts_wire.checkpoint(part, spent, finished, late))
        except ConditionUnmet as unmet:
            _, is_gone = unmet.unmet
        else:
            held = part.held_after(spent.microdollars)
            return replace(part, segments=part.segments + 1, finished=finished, held=held, late=part.late.union(late))
        found = None if is_gone else self._still_of(part)
        if found is not None and found.segments == part.segments:
            raise PartChanged(found)
        return found

    def complete(self, part: Part, counts: Counts, spent: Spent, *, late: Collection[str] = ()) -> Batch | None:
        try:
            self._table.transact(parts_wire.complete(part, counts, spent, late))
        except ConditionUnmet as unmet:
            _, is_gone = unmet.unmet
            found = self._table.get(part_key(part.batch_id, part.number))
            if is_gone or found is None or found["attempt"] != {"N": str(part.attempt)}:
                return None
            if not found["done"]["BOOL"]:
                raise PartChanged(part_from_item(found)) from None
        return self._known(part.batch_id)

    def add_late(self, part: Part, name: str, spent: Spent) -> None:
        with suppress(ConditionUnmet):
            self._table.transact(parts_wire.add_late(part, name, spent))

    def _still_of(self, part: Part) -> Part | None:
        """The part as of now; None where it is done or no longer this attempt's."""
        found = self.part(part.batch_id, part.number)
        return found if found is not None and found.attempt == part.attempt and not found.done else None

    def stop(self, batch_id: str, reason: StopReason, now: float) -> Batch | None:
        # It may leave indexing between the first two tries; it never goes back.
        for indexing in (False, True, False):
            with suppress(ConditionUnmet):
                return batch_from_item(self._table.update(wire.stop(batch_id, reason, now, indexing=indexing)))
        return self.get(batch_id)

    def end(self, batch_id: str, now: float) -> Batch:
        with suppress(ConditionUnmet):
            self._table.update(wire.end(batch_id, now))
        batch = self._known(batch_id)
        return _in_state(batch, "ended")

    def untold(self, batch_id: str) -> bool:
        return self._table.get(open_key(batch_id)) is not None

    def told(self, batch_id: str) -> None:
        with suppress(ConditionUnmet):  # deleted meanwhile
            self._table.transact(wire.told(batch_id))

    def list(
        self, owner: str, *, limit: int, after_id: str | None, before_id: str | None
    ) -> tuple[Sequence[Batch], bool]:
        """See ``BatchStore``. Of a cursor that is no batch of this owner's there is nothing before or after."""
        condition = place = ""
        if cursor := after_id or before_id:
            batch = self.get(cursor)
            if batch is None or batch.owner != owner:
                return [], False
            condition = "sk < :sk" if after_id else "sk > :sk"
            place = owner_key(batch)["sk"]["S"]
        backward = not before_id or bool(after_id)
        found = [*self._table.query(f"owner#{owner}", condition, place, backward=backward, limit=limit + 1)]
        batches = self._records([item["id"]["S"] for item in found[:limit]])
        return batches if backward else batches[::-1], len(found) > limit

    def open(self) -> Iterator[Batch]:
        ids = [item["id"]["S"] for item in self._table.query(OPEN)]
        yield from self._records(ids)

    def delete(self, batch: Batch) -> None:
        _in_state(batch, "ended")
        self._table.delete([part_key(batch.id, part.number) for part in self.parts(batch.id)])
        with suppress(ConditionUnmet):  # it was deleted before
            self._table.transact(wire.delete(batch))

    def _records(self, ids: Sequence[str]) -> Sequence[Batch]:
        """In the order of their ids; without those that were deleted just now."""
        found: dict[str, Batch] = {}
        for at in range(0, len(ids), KEYS_A_READ):
            for item in self._table.get_many([batch_key(batch_id) for batch_id in ids[at : at + KEYS_A_READ]]):
                batch = batch_from_item(item)
                found[batch.id] = batch
        return [found[batch_id] for batch_id in ids if batch_id in found]

    def _known(self, batch_id: str) -> Batch:
        batch = self.get(batch_id)
        if batch is None:
            raise InternalError("The gateway has no record of a batch that it works on")
        return batch


def _in_state(batch: Batch, state: State) -> Batch:
    if batch.state != state:
        raise InternalError(f"The gateway expected a batch to be {state}, and it is {batch.state}")
    return batch
