"""Processes whose clocks differ: the rates hold all the same, and nobody is locked out."""

import asyncio

from megallm.errors import RateLimited
from megallm.messages.events import Usage
from tests.limits.desk import CALLER, Desk, settle


def test_clocks_two_seconds_apart_stay_within_two_seconds_of_the_rate() -> None:
    """Whoever's clock it is; and nobody is locked out: each process gets its share of what is asked for."""
    desk = Desk()
    admitted = {0: 0, 2: 0}

    async def work() -> None:
        processes = {ahead: desk.process(ahead=ahead) for ahead in admitted}
        for step in range(1200):  # ten minutes, four times as much as is allowed
            await asyncio.sleep(0.5)
            ahead = (0, 2)[step % 2]
            for _ in range(2):
                try:
                    admission = await processes[ahead].admit(CALLER, 10)
                except RateLimited:
                    continue
                await settle(admission, Usage(5))
                admitted[ahead] += 1

    desk.run(work)

    rate, minutes = 50, 10
    assert abs(sum(admitted.values()) - rate * (minutes + 1)) <= rate * 2 / 60 + 1
    assert min(admitted.values()) > 0


def test_a_process_whose_clock_is_behind_is_not_locked_out() -> None:
    """Alone after the other stopped, it soon gets its full rate."""
    desk = Desk()

    async def work() -> None:
        ahead = desk.process(ahead=2)
        for _ in range(5):
            for _ in range(10):
                await settle(await ahead.admit(CALLER, 10))
        await asyncio.sleep(3.3)
        await desk.admitted(1)

    desk.run(work)


def test_a_wrong_clock_that_used_many_tokens_locks_nobody_out() -> None:
    """What it wrote is put right by the next request, and the key has its rates again a minute later."""
    desk = Desk()

    async def work() -> None:
        await settle(await desk.process(ahead=3600).admit(CALLER, 60_000))
        await settle(await desk.one(tokens=1000))
        await asyncio.sleep(60)
        for _ in range(10):
            await settle(await desk.one(tokens=10_000))
        await desk.refusal(tokens=10_000)

    desk.run(work)


def test_leases_that_count_again_for_a_clock_that_was_set_back_end_again() -> None:
    """They were over, and nobody had to sweep them away; who sees an earlier time cannot know that, for a minute."""
    desk = Desk()

    async def work() -> None:
        killed = desk.process()
        for _ in range(9):
            (await killed.admit(CALLER, 10))._timer.cancel()
        await asyncio.sleep(61)
        await settle(await desk.process().admit(CALLER, 10))
        behind = desk.process(ahead=-30)
        await behind.admit(CALLER, 10)
        assert "10 requests under way" in (await desk.refusal(process=behind)).message
        await asyncio.sleep(30)
        for _ in range(9):
            await behind.admit(CALLER, 10)

    desk.run(work)
