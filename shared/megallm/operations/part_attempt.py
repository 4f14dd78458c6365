"""One attempt at one part, from the claim to the closed part, or to the point where it is handed on."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from math import ceil

from megallm.batches.items import BadItem, Item, read_item
from megallm.batches.lines import Record
from megallm.batches.model import Part, StopReason
from megallm.batches.results import Errored, Outcome
from megallm.errors import GatewayError, InternalError
from megallm.operations.batch_ports import ObjectChanged
from megallm.operations.batch_tools import BatchTools
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.part_calls import PartCalls, record_outcome
from megallm.operations.part_halt import (
    CUT_SECONDS,
    DELAY_MOST_SECONDS,
    SPARE_SECONDS,
    Halt,
    Situation,
    cuts,
    halt_of,
    outcome_of,
    waiting_delay,
)
from megallm.operations.part_input import read_records
from megallm.operations.part_lease import PartLease
from megallm.operations.part_ledger import LeaseLost
from megallm.operations.part_recorder import PartRecorder
from megallm.operations.part_segments import NOTHING_EARLIER, close_part, earlier_attempts

_TICK_SECONDS = 1.0
_ITEMS_A_TURN = 50  # that are ended without a call before others get their turn

_CRASHED = "The work on this item's part was broken off too often; the item was left out"


class PartAttempt:
    """Has claimed *part*. *deadline* is a moment of the tools' ``monotonic``, None where the process does not end.

    The order of the effects of handing over: the segment counted, the attempt released, the message, its time. Who dies
    before the release leaves a lease that runs out, and after it a part that counts as never sent: the schedule sends
    both within a minute. A message that was sent but not noted is sent twice.
    """

    def __init__(self, tools: BatchTools, watch: BatchWatch, part: Part, deadline: float | None) -> None:
        self._tools = tools
        self._watch = watch
        self._claimed = part
        self._deadline = deadline
        self._lease = PartLease(tools, part)
        self._draining = False
        self._began = tools.monotonic()
        self._given_seconds = None if deadline is None else deadline - self._began
        self._delay_seconds = 0.0
        self._is_kept_back = False
        self._waiting_seconds = 0.0  # for the owner's allowance
        self._recorder: PartRecorder | None = None

    def drain(self, seconds: float) -> None:
        """Hands over what is not begun, and what does not end within *seconds*."""
        self._draining = True
        deadline = self._tools.monotonic() + seconds + CUT_SECONDS
        self._deadline = deadline if self._deadline is None else min(deadline, self._deadline)

    async def run(self) -> bool:
        """Works until the part is done or handed over, or (False) lost.

        Raises InternalError. The part counts as never sent then: the schedule sends it again, which is long before the
        queue does.
        """
        self._lease.keep()
        self._watch.begin_part()
        try:
            await self._work()
        except (LeaseLost, ObjectChanged):  # its segments are gone: the batch has ended
            await self._leave()
            await self._withdraw()
            return False
        except GatewayError:
            await self._leave()
            await self._withdraw()
            raise
        finally:
            self._lease.end()
            self._watch.end_part()
        return True

    async def _work(self) -> None:
        tools, ports, part = self._tools, self._tools.ports, self._claimed
        earlier = await tools.in_thread(earlier_attempts, ports.objects, part)
        recorder = self._recorder = PartRecorder(part, self._watch, ports, tools.in_thread, earlier or NOTHING_EARLIER)
        if earlier is None:
            await self._close(recorder)
            return
        records = await tools.in_thread(read_records, ports.objects, self._watch.batch, part, earlier.records)
        if self._lease.is_poison(len(recorder.done)):
            await self._end_items(recorder, records, Errored(InternalError(_CRASHED), 0))
            await self._close(recorder)
            return
        match self._watch.reason() or await self._begun(recorder, records):
            case None:
                await self._close(recorder)
            case "lost":
                raise LeaseLost
            case "hand_over":
                await self._hand_over(recorder)
            case reason:
                await self._end_items(recorder, records, outcome_of(await self._stopped(reason)))
                await self._close(recorder)

    async def _begun(self, recorder: PartRecorder, records: list[Record | BadItem]) -> Halt | None:
        """As ``_carry_out``, once it is noted that the attempt does so."""
        if not records:
            return None
        if not await self._lease.begin(len(recorder.done)):
            return "lost"
        return await self._carry_out(recorder, records)

    async def _stopped(self, reason: StopReason) -> StopReason:
        """Why the batch is stopped. Whoever is the first to see it calls the finisher, who ends the parts that wait."""
        was_known = self._watch.batch.stop is not None
        reason = await self._watch.confirm(reason)
        batch = self._watch.batch
        if not was_known and batch.parts - batch.parts_done > 1:
            with suppress(GatewayError):  # the schedule does so as well
                await self._tools.in_thread(self._tools.ports.queues.send_finish, batch.id)
        return reason

    async def _carry_out(self, recorder: PartRecorder, records: list[Record | BadItem]) -> Halt | None:
        """Until all items have ended (None), or nothing may go on any more."""
        calls = PartCalls(
            self._tools, self._watch.batch, self._watch, recorder, lambda calls: self._halt(calls) is None
        )
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
            situation = self._situation(calls)
            halt = halt_of(situation)
            if halt is None and self._is_kept_back:
                halt = "hand_over"  # what kept an item from beginning is over already
            self._delay_seconds = situation.closed_seconds
            if situation.is_waiting:
                self._delay_seconds = waiting_delay(situation, self._tools.fraction())
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
                self._is_kept_back = True
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
            self._see_waiting(calls)

    def _see_waiting(self, calls: PartCalls) -> None:
        """One more second has passed, perhaps in waiting for the owner's allowance."""
        if not calls.is_calling and self._tools.allowance.closed_seconds(self._watch.batch.owner):
            self._waiting_seconds += _TICK_SECONDS

    def _halt(self, calls: PartCalls) -> Halt | None:
        return halt_of(self._situation(calls))

    def _is_lost(self) -> bool:
        return self._lease.is_lost or self._watch.gone

    def _situation(self, calls: PartCalls) -> Situation:
        tools = self._tools
        batch = self._watch.batch
        longest = tools.longest_call_seconds
        if self._given_seconds is not None:  # whatever calls took before, half of the time something may begin
            longest = min(longest, self._given_seconds / 2 - SPARE_SECONDS)
        return Situation(
            lost=self._is_lost(),
            reason=self._watch.reason(),
            draining=self._draining,
            seconds_left=None if self._deadline is None else self._deadline - tools.monotonic(),
            longest_call_seconds=longest,
            closed_seconds=calls.closed_seconds,
            waiting_seconds=self._waiting_seconds,
            run_seconds=tools.monotonic() - self._began,
            parts_left=max(1, batch.parts - batch.parts_done),
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
        await recorder.write()
        if self._is_lost():  # the write may have taken longer than the lease
            raise LeaseLost
        closed = await tools.in_thread(close_part, ports.objects, part)
        batch = await recorder.complete(closed)
        if batch.parts_done == batch.parts:
            await tools.in_thread(ports.queues.send_finish, batch.id)

    async def _hand_over(self, recorder: PartRecorder) -> None:
        """Records what is done, and sends the rest back to the queue."""
        tools, ports, part = self._tools, self._tools.ports, self._claimed
        delay = min(DELAY_MOST_SECONDS, ceil(self._delay_seconds))
        if recorder.has_news:  # a part that only waits comes again many times
            await recorder.checkpoint()
        await self._lease.release(recorder.part)
        await tools.in_thread(ports.queues.send_parts, self._watch.batch, [part.number], delay)
        await tools.in_thread(ports.store.queued, part.batch_id, [part.number], tools.clock() + delay)

    async def _withdraw(self) -> None:
        part = self._claimed if self._recorder is None else self._recorder.part
        await self._lease.withdraw(part, self._deadline)

    async def _leave(self) -> None:
        """What this attempt spent and cannot count itself any more is in the ledger all the same."""
        if self._recorder is not None:
            await self._recorder.leave()


def _number(record: Record | BadItem) -> int:
    return record.record if isinstance(record, BadItem) else record.number
