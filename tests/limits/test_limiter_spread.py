"""A key that is spread over several items: any of them with room lets a request in."""

import pytest

from megallm.errors import RateLimited
from megallm.keys import Caller, Limits
from megallm.limits.state import State, Write
from megallm.stores.limits_table import TooFast
from tests.limits.desk import Desk, settle
from tests.limits.memory_table import MemoryTable, turn


def test_a_spread_key_is_let_in_as_long_as_one_of_its_items_has_room() -> None:
    """It asks up to three of them; over all of them never more than the whole is let in."""
    desk = Desk()
    caller = Caller("abcdefgh", "enterprise", Limits(6000, 10**8, 100))

    async def work() -> None:
        admitted = 0
        for _ in range(200):
            try:
                await desk.limiter.admit(caller, 10)
            except RateLimited:
                continue
            admitted += 1
        assert 95 <= admitted <= 100
        assert sorted(len(state.leases) for state in desk.table.items.values())[-1] <= 50

    desk.run(work)


def test_a_spread_key_is_let_in_where_only_one_of_its_items_gets_too_many_writes() -> None:
    """That is the refusal of one item; the others are asked, and where none lets it in, it is told."""
    caller = Caller("abcdefgh", "enterprise", Limits(6000, 10**8, 100))
    busy = {"abcdefgh"}

    class Hot(MemoryTable):
        async def update(self, item_id: str, write: Write) -> State:
            if item_id in busy:
                raise TooFast
            return await super().update(item_id, write)

    desk = Desk(Hot(before=turn, after=turn))

    async def work() -> None:
        for admission in await desk.admitted(40, caller=caller):
            await settle(admission)
        busy.add("abcdefgh#1")
        with pytest.raises(RateLimited, match="faster than they can be counted"):
            await desk.limiter.admit(caller, 10)

    desk.run(work)

    assert set(desk.table.items) == {"abcdefgh#1"}
