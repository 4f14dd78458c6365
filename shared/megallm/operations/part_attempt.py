"""One attempt at one part, from the claim to the closed part, or to the point where it is handed on."""

import asyncio
from collections.abc import Iterable
from math import ceil

from megallm.batches.items import BadItem, Item, read_item
from megallm.batches.lines import Record
from megallm.batches.model import Part
from megallm.batches.results import Errored, Outcome
from megallm.errors import GatewayError, InternalError
from megallm.operations.batch_tools import BatchTools
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.part_calls import PartCalls, record_outcome
from megallm.operations.part_halt import CUT_SECONDS, DELAY_MOST_SECONDS, Halt, Situation, cuts, halt_of, outcome_of
from megallm.operations.part_input import read_records
from megallm.operations.part_recorder import LeaseLost, PartRecorder
from megallm.operations.part_segments import close_part, earlier_attempts

LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0
MOST_CRASHES = 10

_TICK_SECONDS = 1.0
_ITEMS_A_TURN = 50  # that are ended without a call before others get their turn

_CRASHED = "The work on this item's part was broken off too often; the item was left out"


class PartAttempt:
    """Has claimed *part*. *deadline* is a moment of the tools' ``monotonic``, None where the process does not end."""

    def __init__(self, tools: BatchTools, watch: BatchWatch, part: Part, deadline: float | None) -> None:
        self._tools = tools
        self._watch = watch
        self._claimed = part
        self._deadline = deadline
        self._leased_until = part.leased_until
        self._lost = False
        self._draining = False
        self._delay_seconds = 0.0

    def drain(self, seconds: float) -> None:
        """Hands over what is not begun, and what does not end within *seconds*."""
        self._draining = True
        deadline = self._tools.monotonic() + seconds + CUT_SECONDS
        self._deadline = deadline if self._deadline is None else min(deadline, self._deadline)

    async def run(self) -> bool:
        """Works until the part is done or handed over, or (False) lost.

        Raises InternalError. The lease is not given back then: as after a crash, that it runs out makes the schedule
        send the part again, which is long before the queue does.
        """
        self._renewing = asyncio.get_running_loop().create_task(self._renew())
        self._watch.begin_part()
        try:
            await self._work()
        except LeaseLost:
            return False
        finally:
            self._renewing.cancel()
            self._watch.end_part()
        return True

    async def _work(self) -> None:
        tools, ports, part = self._tools, self._tools.ports, self._claimed
        earlier = await tools.in_thread(earlier_attempts, ports.objects, part)
        if earlier is None:
            await self._close(PartRecorder(part, self._watch, ports, tools.in_thread))
            return
        recorder = PartRecorder(
            part, self._watch, ports, tools.in_thread, earlier=earlier.records, uncounted=earlier.uncounted
        )
        records = await tools.in_thread(read_records, ports.objects, self._watch.batch, part, earlier.records)
        if part.attempt > MOST_CRASHES + part.segments:
            await self._end_items(recorder, records, Errored(InternalError(_CRASHED), 0))
            await self._close(recorder)
            return
        halt = await self._carry_out(recorder, records)
        match halt:
            case None:
                await self._close(recorder)
            case "lost":
                raise LeaseLost
            case "hand_over":
                await self._hand_over(recorder)
            case reason:
                reason = await self._watch.confirm(reason)
                await self._end_items(recorder, records, outcome_of(reason))
                await self._close(recorder)

    async def _carry_out(self, recorder: PartRecorder, records: list[Record | BadItem]) -> Halt | None:
        """Until all items have ended (None), or nothing may go on any more."""
        calls = PartCalls(self._tools, self._watch.batch, self._watch, recorder)
        loop = asyncio.get_running_loop()
        feeding = loop.create_task(self._feed(calls, records))
        watching = loop.create_task(self._halted(calls))
        recording = loop.create_task(recorder.run())
        try:
            done, _ = await asyncio.wait(
                {feeding, watching, recording, calls.broken}, return_when=asyncio.FIRST_COMPLETED
            )
            for ended in done:
                ended.result()
            feeding.cancel()
            halt = self._halt(calls)
            self._delay_seconds = calls.closed_seconds
            while halt is not None and not cuts(halt, self._situation(calls)):
                calls.stop(cut=False)
                if await calls.wait(_TICK_SECONDS):
                    break
        finally:
            feeding.cancel()
            watching.cancel()
            calls.stop(cut=True)
            await calls.wait()
            recorder.end()
            await asyncio.gather(feeding, watching, recording, return_exceptions=True)
            calls.close()
        recording.result()
        is_whole = len(recorder.done) == self._claimed.items
        return None if is_whole and halt != "lost" else self._halt(calls) or halt

    async def _feed(self, calls: PartCalls, records: Iterable[Record | BadItem]) -> None:
        for record in records:
            if not await calls.begin(self._item(record)):
                return
        await calls.wait()

    def _item(self, record: Record | BadItem) -> Item | BadItem:
        if isinstance(record, BadItem):
            return record
        return read_item(record.line, record.number, self._watch.batch.job, duplicate=record.duplicate)

    async def _halted(self, calls: PartCalls) -> None:
        """Returns once nothing may begin any more."""
        while True:
            if self._halt(calls) is not None:
                return
            await asyncio.sleep(_TICK_SECONDS)

    def _halt(self, calls: PartCalls) -> Halt | None:
        return halt_of(self._situation(calls))

    def _is_lost(self) -> bool:
        return self._lost or self._watch.gone or self._tools.clock() >= self._leased_until

    def _situation(self, calls: PartCalls) -> Situation:
        tools = self._tools
        return Situation(
            lost=self._is_lost(),
            reason=self._watch.reason(),
            draining=self._draining,
            seconds_left=None if self._deadline is None else self._deadline - tools.monotonic(),
            longest_call_seconds=tools.longest_call_seconds,
            closed_seconds=calls.closed_seconds,
        )

    async def _end_items(self, recorder: PartRecorder, records: list[Record | BadItem], outcome: Outcome) -> None:
        """Gives all that have not ended an outcome without a call."""
        left = [record for record in records if _number(record) not in recorder.done]
        for place, record in enumerate(left):
            item = self._item(record)
            ended = Errored(item.error, 0) if isinstance(item, BadItem) else outcome
            record_outcome(recorder, self._watch.batch, item, ended)
            if place % _ITEMS_A_TURN == 0:
                await asyncio.sleep(0)

    async def _close(self, recorder: PartRecorder) -> None:
        """Writes the last segment and the part's files, and counts the part."""
        if self._is_lost():  # the pieces of the batch may be gone, and must not come back
            raise LeaseLost
        tools, ports, part = self._tools, self._tools.ports, recorder.part
        spent = await recorder.write()
        closed = await tools.in_thread(close_part, ports.objects, part)
        batch = await tools.in_thread(ports.store.complete, part, closed.counts, closed.spent)
        recorder.counted(spent)
        if batch is None:
            raise LeaseLost
        self._watch.saw(batch)
        if batch.parts_done == batch.parts:
            await tools.in_thread(ports.queues.send_finish, batch.id)

    async def _hand_over(self, recorder: PartRecorder) -> None:
        """Records what is done, and sends the rest back to the queue."""
        tools, ports, part = self._tools, self._tools.ports, self._claimed
        delay = min(DELAY_MOST_SECONDS, ceil(self._delay_seconds))
        await recorder.checkpoint()
        self._renewing.cancel()
        await asyncio.wait([self._renewing])  # a renewal that is under way would take the lease back
        await tools.in_thread(ports.store.release, part)
        now = tools.clock() + delay
        await tools.in_thread(ports.store.queued, part.batch_id, [part.number], now)
        await tools.in_thread(ports.queues.send_parts, self._watch.batch, [part.number], delay)

    async def _renew(self) -> None:
        """Keeps the lease, until another attempt has it."""
        tools, part = self._tools, self._claimed
        while not self._lost:
            await asyncio.sleep(RENEW_SECONDS)
            now = tools.clock()
            try:
                kept = await tools.in_thread(tools.ports.store.renew, part, now=now, lease_seconds=LEASE_SECONDS)
            except GatewayError:
                continue  # there is time for two more tries before the lease ends
            if kept:
                self._leased_until = now + LEASE_SECONDS
            else:
                self._lost = True


def _number(record: Record | BadItem) -> int:
    return record.record if isinstance(record, BadItem) else record.number
