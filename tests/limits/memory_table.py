"""A table in memory: the writes by their meaning, without any expression, and points at which a test can interfere."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from megallm.limits.ledger import Count, Used
from megallm.limits.state import (
    Admit,
    Advance,
    Charge,
    Clock,
    Move,
    Queue,
    Renew,
    Replace,
    Restart,
    Settle,
    State,
    Write,
)
from megallm.stores.limits_table import Conflict


async def _no_wait() -> None:
    """Answers at once."""


@dataclass
class MemoryTable:
    """``Table`` in a dict. *before* and *after* are awaited around what a call does, as its way there and back."""

    items: dict[str, State] = field(default_factory=dict)
    ledgers: dict[str, dict[int, Used]] = field(default_factory=dict)
    writes: list[tuple[str, Write]] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] = _no_wait
    after: Callable[[], Awaitable[None]] = _no_wait
    closed: bool = False

    async def update(self, item_id: str, write: Write) -> State:
        await self.before()
        self.writes.append((item_id, write))
        outcome = apply(self.items.get(item_id, State(exists=False)), write)
        if outcome is not None:
            if isinstance(write, Settle | Charge) and write.count is not None:
                outcome = replace(outcome, months=self._count(item_id, write.count))
            self.items[item_id] = outcome
        found = self.items.get(item_id, State(exists=False))
        await self.after()
        if outcome is None:
            raise Conflict(found, repeated=False)
        return outcome

    def _count(self, item_id: str, count: Count) -> frozenset[int]:
        ledger = self.ledgers.setdefault(item_id, {})
        ledger[count.month] = ledger.get(count.month, Used()).plus(count.used)
        for month in count.dropped:
            ledger.pop(month, None)
        return frozenset(ledger)

    async def aclose(self) -> None:
        self.closed = True

    def of(self, kind: type[Write]) -> list[Write]:
        """The writes of one kind, those that conflicted too."""
        return [write for _, write in self.writes if isinstance(write, kind)]


def apply(state: State, write: Write) -> State | None:
    """What the write makes of the state, or None where its conditions do not hold."""
    match write:
        case Admit(create=True):
            moved = _both(State(), write)
            return None if state.exists or moved is None else replace(moved, leases={write.lease: write.ends})
        case Admit():
            moved = _both(state, write)
            as_seen = all(state.leases.get(lease) == ends for lease, ends in write.dropped.items())
            free = write.lease not in state.leases and len(state.leases) < write.room
            if not state.exists or moved is None or not as_seen or not free:
                return None
            kept = {lease: ends for lease, ends in state.leases.items() if lease not in write.dropped}
            return replace(moved, leases={**kept, write.lease: write.ends})
        case Settle() if write.lease in state.leases:
            kept = {lease: ends for lease, ends in state.leases.items() if lease != write.lease}
            return replace(state, tokens=state.tokens + write.tokens_by, leases=kept)
        case Renew() if write.lease in state.leases:
            return replace(state, leases={**state.leases, write.lease: write.ends})
        case Settle() | Renew():
            return None
        case Charge():
            return replace(state, tokens=state.tokens + write.tokens_by) if state.exists else None
        case Queue():
            return _all_moved(state, write.moves) if state.exists else None
        case _:
            assert_never(write)


def _both(state: State, write: Admit) -> State | None:
    return _all_moved(state, {"requests": write.requests, "tokens": write.tokens})


def _all_moved(state: State, moves: Mapping[Clock, Move]) -> State | None:
    for clock, move in moves.items():
        moved = _moved(state, clock, move)
        if moved is None:
            return None
        state = moved
    return state


def _moved(state: State, clock: Clock, move: Move) -> State | None:
    moment = state.moment(clock)
    match move:
        case Restart(passed=passed, to=to):
            return state.with_moment(clock, to) if moment <= passed else None
        case Advance(after=after, most=most, by=by):
            return state.with_moment(clock, moment + by) if after < moment <= most else None
        case Replace(seen=seen, to=to):
            return state.with_moment(clock, to) if moment == seen else None
        case _:
            assert_never(move)


async def turn() -> None:
    """A way to the table and back: others come between."""
    for _ in range(3):
        await asyncio.sleep(0)
