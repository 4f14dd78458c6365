"""How many calls are in flight: decided purely, and let in one after the other."""

import asyncio

from megallm.operations.batch_concurrency import Pace, Slots, after_answer, after_refusal
from tests.limits.simulated_time import SimulatedTime, simulated


def test_a_round_of_answers_makes_room_for_one_more() -> None:
    """Additive increase, up to the most."""
    pace = Pace(room=4.0, most=5)

    for _ in range(5):
        pace = after_answer(pace, began=0.0)
    grown = pace
    for _ in range(20):
        pace = after_answer(pace, began=0.0)

    assert 5.0 >= grown.room > 4.9
    assert pace.room == 5.0


def test_a_refusal_halves_the_room_once_for_all_that_were_under_way() -> None:
    """The second was sent before the first was known."""
    first = after_refusal(Pace(room=8.0, most=8), began=9.0, now=10.0, told_seconds=None, fraction=0.0)
    second = after_refusal(first, began=9.5, now=10.1, told_seconds=None, fraction=0.0)
    third = after_refusal(second, began=10.5, now=11.0, told_seconds=None, fraction=0.0)

    assert [pace.room for pace in (first, second, third)] == [4.0, 4.0, 2.0]


def test_one_call_always_has_room() -> None:
    """Somebody must find out when there is capacity again."""
    pace = Pace(room=1.5, most=8)

    assert after_refusal(pace, began=0.0, now=1.0, told_seconds=None, fraction=0.0).room == 1.0


def test_waits_double_and_are_forgotten_after_an_answer() -> None:
    """Half of it at least, and all of it at most."""
    pace = Pace(room=8.0, most=8)
    waits = []
    for now in (10.0, 100.0, 200.0):
        pace = after_refusal(pace, began=now, now=now, told_seconds=None, fraction=0.0)
        waits.append(pace.not_before - now)
    answered = after_answer(pace, began=300.0)

    assert waits == [0.25, 0.5, 1.0]
    assert answered.refusals == 0


def test_an_upstream_that_says_when_is_believed() -> None:
    """Its own number counts where it is the longer one, but for a quarter of an hour at most."""
    pace = Pace(room=8.0, most=8)

    assert after_refusal(pace, 10.0, 10.0, 30.0, 0.0).not_before == 40.0
    assert after_refusal(pace, 10.0, 10.0, 1e9, 0.0).not_before == 910.0


def test_those_who_wait_are_let_in_in_turn_and_one_that_comes_again_first() -> None:
    """No part takes all the room, and what was refused does not go to the end of the line."""
    time = SimulatedTime()
    slots = Slots(1, lambda: time.seconds, lambda: 0.0)
    let_in: list[str] = []

    async def caller(name: str, *, first: bool = False) -> None:
        await slots.enter(first=first)
        let_in.append(name)
        await asyncio.sleep(1)
        slots.leave()

    async def all_of_them() -> None:
        await asyncio.gather(caller("a"), caller("b"), caller("c"), caller("again", first=True))

    simulated(all_of_them(), time)

    assert let_in == ["a", "again", "b", "c"]
    assert slots.in_flight == 0


def test_nobody_is_let_in_while_the_upstream_wants_rest() -> None:
    """Who waits is let in as soon as it is over, without being asked again."""
    time = SimulatedTime()
    slots = Slots(8, lambda: time.seconds, lambda: 0.0)

    async def refused_then_let_in() -> float:
        began = await slots.enter()
        slots.refused(began, 30.0)
        slots.leave()
        return await slots.enter()

    assert simulated(refused_then_let_in(), time) == 30.0


def test_whoever_stops_waiting_leaves_the_line() -> None:
    """A cancelled caller neither keeps a slot nor stands in the way."""
    time = SimulatedTime()
    slots = Slots(1, lambda: time.seconds, lambda: 0.0)

    async def cancelled() -> int:
        await slots.enter()
        waiting = asyncio.create_task(slots.enter())
        let_in = asyncio.create_task(slots.enter())
        await asyncio.sleep(0)
        waiting.cancel()
        slots.leave()
        let_in.cancel()  # it has its slot by now, but has not run
        ends = await asyncio.gather(waiting, let_in, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError, asyncio.CancelledError]
        return slots.in_flight

    assert simulated(cancelled(), time) == 0
