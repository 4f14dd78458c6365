"""Refused requests stand in line: each has a place of its own, whichever process refused it."""

import asyncio

import pytest

from megallm.limits.state import SECOND, Admit, Queue, State, Write
from megallm.limits.waiting import USUAL_CALL_SECONDS
from megallm.stores.limits_table import NoAnswer
from tests.limits.desk import Desk, settle
from tests.limits.memory_table import MemoryTable, turn


@pytest.mark.parametrize("processes", [1, 20])
def test_those_refused_together_are_told_different_times(processes: int) -> None:
    """One after the other, as the limit lets them in: from one process, and from many that share the line."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        limiters = [desk.limiter, *(desk.process() for _ in range(processes - 1))]
        refusals = await asyncio.gather(*(desk.refusal(process=limiters[turn % processes]) for turn in range(20)))
        assert sorted(int(refusal.headers["retry-after"]) for refusal in refusals) == [
            -(-12 * place // 10) for place in range(1, 21)
        ]

    desk.run(work)


def test_nobody_is_told_more_than_a_minute_for_requests() -> None:
    """Older SDKs do not believe in more. Who finds the line full is told any time within it."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        waits = [int((await desk.refusal()).headers["retry-after"]) for _ in range(200)]
        assert (max(waits), waits[-1]) == (60, 31)

    desk.run(work)


def test_places_in_line_are_shared_by_all_processes() -> None:
    """Each is taken by the process that was refused; the others see it."""
    desk = Desk()

    async def work() -> None:
        await desk.admitted(10)
        await asyncio.gather(*(desk.refusal(process=desk.process()) for _ in range(5)))
        assert desk.state.slots_queue == desk.time() + 5 * USUAL_CALL_SECONDS * SECOND // 10
        assert 5 <= len(desk.table.of(Queue)) <= 15
        assert len(desk.table.of(Admit)) == 11 + 5

    desk.run(work)


def test_a_crowd_takes_its_places_together() -> None:
    """Two processes are asked at once: all they refuse have different places, and cost each a few writes."""
    desk = Desk()

    async def work() -> None:
        await desk.admitted(10)
        processes = [desk.process(), desk.process()]
        refusals = await asyncio.gather(*(desk.refusal(process=processes[turn % 2]) for turn in range(60)))
        assert desk.state.slots_queue == desk.time() + 60 * USUAL_CALL_SECONDS * SECOND // 10
        assert sorted(int(refusal.headers["retry-after"]) for refusal in refusals)[-20:] == [
            -(-6 * place // 10) for place in range(41, 61)
        ]
        assert len(desk.table.of(Queue)) <= 10

    desk.run(work)


def test_a_refusal_whose_place_cannot_be_written_is_a_refusal_all_the_same() -> None:
    """Told apart from the others as far as one process can tell."""

    class NoPlaces(MemoryTable):
        async def update(self, item_id: str, write: Write) -> State:
            if isinstance(write, Queue):
                raise NoAnswer
            return await super().update(item_id, write)

    desk = Desk(NoPlaces(before=turn, after=turn))

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        refusals = await asyncio.gather(*(desk.refusal() for _ in range(3)))
        assert [refusal.headers["retry-after"] for refusal in refusals] == ["2", "3", "4"]

    desk.run(work)


def test_a_remembered_refusal_takes_its_place_in_the_table_once_a_second() -> None:
    """So that what many processes remember is not told at the same time by all; in between, without a write."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        writes = []
        for _ in range(3):
            for _ in range(10):
                await desk.refusal()
            writes.append(len(desk.table.of(Queue)))
            await asyncio.sleep(0.5)
        assert writes == [1, 1, 2]

    desk.run(work)
