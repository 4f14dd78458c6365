"""The limiter over a table: decides by what it last saw, and writes on the condition that this still holds.

Most requests take two calls, one to admit and one to settle. What a process remembers of a key makes its first guess
better; no decision rests on it, but to refuse for a moment what the table has just refused.
"""

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from megallm.errors import GatewayError, InternalError, RateLimited
from megallm.keys import Caller, Limits
from megallm.limits.decide import Refused, decide, tokens_cost
from megallm.limits.memory import Memory, View
from megallm.limits.shards import Shard, shards
from megallm.limits.state import SECOND, Admit, State
from megallm.limits.tiers import Tiers
from megallm.limits.told import rates, refusal, too_fast, whole_seconds
from megallm.messages.events import Usage
from megallm.operations.settle import settle_to_the_end
from megallm.stores.gates import Gates
from megallm.stores.limits_admission import Admission
from megallm.stores.limits_lines import Lines
from megallm.stores.limits_table import Conflict, NoAnswer, Table, TooFast

_TRIES = 8  # one is the rule, two where somebody else was faster, more only where many begin at one moment
# Of one process for one item. It does not take more, and whoever waits learns from those before, without a call.
_AT_ONCE = 8
_SHARDS_LOOKED_AT = 8
_SHARDS_ASKED = 3
_LEASE_BYTES = 6
_SOON_NANOSECONDS = 2 * SECOND  # within which those come back who were refused for a slot, while they are few
# For how long a cancelled request waits until it is given back; with a slow table that goes on after it. A function
# whose time is over has a second left to tell its client.
_GIVE_BACK_SECONDS = 0.5
_NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class _Request:
    """Who asks for how much, and the shard that it is asked of."""

    tokens: int
    whole: Limits
    shard: Shard
    view: View


class DynamoLimiter:
    """``Limiter`` over a table. *clock* is in nanoseconds since 1970, *fraction* gives numbers in [0, 1)."""

    def __init__(
        self,
        table: Table,
        tiers: Tiers,
        *,
        clock: Callable[[], int],
        fraction: Callable[[], float] = random.random,
        new_lease: Callable[[], str] = lambda: secrets.token_urlsafe(_LEASE_BYTES),
        renew_seconds: float = 20.0,
    ) -> None:
        self._table = table
        self._tiers = tiers
        self._clock = clock
        self._fraction = fraction
        self._new_lease = new_lease
        self._renew_seconds = renew_seconds
        self._memory = Memory()
        self._gates = Gates(_AT_ONCE)
        self._lines = Lines(table, clock, fraction)
        self._cleaning: set[asyncio.Task[None]] = set()

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> Admission:
        """Raises RateLimited; InternalError where the table does not answer: then nobody is let in."""
        work = asyncio.ensure_future(self._admit(caller, estimated_input_tokens))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # What was sent may be applied whenever it arrives: it is seen through, to be given back.
            cleaning = asyncio.ensure_future(_give_back(work))
            self._cleaning.add(cleaning)
            cleaning.add_done_callback(self._cleaning.discard)
            await asyncio.wait([cleaning], timeout=_GIVE_BACK_SECONDS)
            raise

    async def aclose(self) -> None:
        """Closes the table's connections."""
        await self._table.aclose()

    async def _admit(self, caller: Caller, tokens: int) -> Admission:
        whole = self._tiers.of(caller)
        now = self._clock()
        known: list[tuple[Refused, _Request]] = []
        unknown: list[_Request] = []
        for shard in self._some(shards(caller.key_id, whole)):
            request = _Request(tokens, whole, shard, self._memory.view(shard.item_id))
            refused = request.view.refusal(shard.limits, tokens, now)
            if refused is None:
                unknown.append(request)
            else:
                known.append((refused, request))
        asked: list[_Request] = []
        throttled: RateLimited | None = None
        for request in unknown[:_SHARDS_ASKED]:
            async with self._gates.through(request.shard.item_id) as waited:
                refused = request.view.refusal(request.shard.limits, tokens, self._clock()) if waited else None
                if refused is None:
                    asked.append(request)
                    try:
                        outcome = await self._ask(request)
                    except RateLimited as error:  # too many writes for this item; another one may have time
                        throttled = error
                        continue
                    if isinstance(outcome, Admission):
                        return outcome
                    refused = outcome
                known.append((refused, request))
        if throttled is not None:
            raise throttled
        refused, request = min(known, key=lambda found: found[0].until)
        moment = await self._lines.place(refused, request.shard, request.view, tokens, asked=request in asked)
        raise self._refusal(refused, request, moment)

    def _some(self, parts: tuple[Shard, ...]) -> list[Shard] | tuple[Shard, ...]:
        if len(parts) == 1:
            return parts
        return random.sample(parts, min(_SHARDS_LOOKED_AT, len(parts)))

    async def _ask(self, request: _Request) -> Admission | Refused:
        """Admits to the shard, or tells why not."""
        view, lease, now = request.view, self._new_lease(), self._clock()
        if view.is_too_fast(now):
            raise self._too_fast(request)
        before = view.state
        seen, guess = view.hopeful(now)
        decision = decide(seen, request.shard.limits, now=now, tokens=request.tokens, lease=lease, guess=guess)
        for tries in range(_TRIES):
            if isinstance(decision, Refused):
                # Only what the table has just shown refuses: what was remembered has been hoped away.
                view.refuse(decision, request.shard.limits, request.tokens, now)
                return decision
            found = await self._write(request, decision)
            if tries == 0:
                view.learn(before, decision, found, now)
            if found is None:
                return self._admitted(request, lease)
            now = self._clock()
            decision = decide(found, request.shard.limits, now=now, tokens=request.tokens, lease=lease)
        raise self._too_fast(request)

    async def _write(self, request: _Request, admit: Admit) -> State | None:
        """None where the request is in; else what stood there."""
        view = request.view
        try:
            view.saw(await self._table.update(request.shard.item_id, admit))
        except Conflict as conflict:
            view.saw(conflict.state)
            # Where our own lease stands there already, an attempt was applied whose answer was lost.
            return None if admit.lease in conflict.state.leases else conflict.state
        except TooFast as error:
            view.found_too_fast(self._clock())
            raise self._too_fast(request) from error
        except NoAnswer as error:
            raise InternalError("The gateway could not check this key's limits: their table did not answer") from error
        return None

    def _admitted(self, request: _Request, lease: str) -> Admission:
        return Admission(
            self._table,
            self._clock,
            request.shard,
            request.view,
            request.whole,
            lease=lease,
            reserved=tokens_cost(request.shard.limits, request.tokens),
            renew_seconds=self._renew_seconds,
        )

    def _refusal(self, refused: Refused, request: _Request, moment: int) -> RateLimited:
        now = self._clock()
        if refused.limit == "concurrent":
            moment = max(moment, now + int(self._fraction() * _SOON_NANOSECONDS))
        return refusal(
            refused.limit,
            request.whole,
            tokens=request.tokens,
            seconds=whole_seconds(moment, now),
            rates=self._rates(request, now),
        )

    def _too_fast(self, request: _Request) -> RateLimited:
        return too_fast(1 + round(self._fraction()), self._rates(request, self._clock()))

    def _rates(self, request: _Request, now: int) -> dict[str, str]:
        return rates(request.view.state, request.shard.limits, request.whole, now)


async def _give_back(work: asyncio.Task[Admission]) -> None:
    try:
        admission = await work
    except (GatewayError, asyncio.CancelledError):
        return
    await settle_to_the_end(admission, _NOTHING)
