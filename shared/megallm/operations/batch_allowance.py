"""The batches' own allowance: tokens a minute for each owner, so that calls in person never wait for a batch.

It is taken from the limiter in blocks of some seconds' worth, not item by item. What is left of a block when a process
ends is lost, and what an item used beyond its estimate comes out of the next block.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from megallm.errors import RateLimited
from megallm.keys import Caller, Limits
from megallm.messages.events import Usage
from megallm.operations.in_thread import InThread
from megallm.operations.ports import Limiter
from megallm.operations.retry import retry_after_seconds

BLOCK_SECONDS = 5
BELIEVED_SECONDS = 60.0  # how long an owner's allowance is believed before it is looked up again
_WAIT_SECONDS = 5.0  # where a refusal does not say

# Blocks are few, and their leases last no time: neither number is ever met, and both fit into one item of the limiter.
_REQUESTS_PER_MINUTE, _CONCURRENT = 3000, 50

TokensAMinute = Callable[[str], int | None]


def seconds_needed(tokens: int, tokens_a_minute: int | None) -> float:
    """How long an allowance takes for so many tokens; 0 where there is none."""
    return 0.0 if not tokens_a_minute else tokens * 60 / tokens_a_minute


def estimated_tokens(input_bytes: int) -> int:
    """A guess at the tokens of an input that nobody has read yet: a quarter of its bytes. Replies come on top."""
    return -(-input_bytes // 4)


@dataclass(slots=True)
class _Account:
    tokens_a_minute: int | None
    asked_at: float
    left: int = 0
    closed_until: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class BatchAllowance:
    """``tokens_a_minute`` tells an owner's allowance, None for no limit; it may block. *clock* is monotonic."""

    def __init__(
        self, limiter: Limiter, tokens_a_minute: TokensAMinute, *, clock: Callable[[], float], in_thread: InThread
    ) -> None:
        self._limiter = limiter
        self._tokens_a_minute = tokens_a_minute
        self._clock = clock
        self._in_thread = in_thread
        self._accounts: dict[str, _Account] = {}

    async def take(self, owner: str, tokens: int) -> None:
        """Waits until the owner may use so many. Raises InternalError where the limiter fails."""
        account = self._accounts.get(owner)
        if account is None or self._clock() - account.asked_at > BELIEVED_SECONDS:
            account = await self._looked_up(owner)
        if account.tokens_a_minute is None:
            return
        if account.left <= 0:
            async with account.turn:
                while account.left <= 0:
                    await self._take_block(owner, account, account.tokens_a_minute)
        account.left -= tokens

    def correct(self, owner: str, estimated: int, used: int) -> None:
        """An item that took *estimated* has used so many."""
        account = self._accounts.get(owner)
        if account is not None and account.tokens_a_minute is not None:
            account.left += estimated - used

    def closed_seconds(self, owner: str) -> float:
        """How long the owner has to wait from now on, as far as is known."""
        account = self._accounts.get(owner)
        return 0.0 if account is None else max(0.0, account.closed_until - self._clock())

    async def _looked_up(self, owner: str) -> _Account:
        tokens = await self._in_thread(self._tokens_a_minute, owner)
        account = self._accounts.setdefault(owner, _Account(tokens, self._clock()))
        account.tokens_a_minute = tokens
        account.asked_at = self._clock()
        return account

    async def _take_block(self, owner: str, account: _Account, tokens_a_minute: int) -> None:
        """One block more, beyond what was used too much."""
        block = max(1, tokens_a_minute * BLOCK_SECONDS // 60) - account.left
        caller = Caller(f"batch-{owner}", "enterprise", Limits(_REQUESTS_PER_MINUTE, tokens_a_minute, _CONCURRENT))
        try:
            admission = await self._limiter.admit(caller, block)
        except RateLimited as error:
            seconds = retry_after_seconds(error) or _WAIT_SECONDS
            account.closed_until = self._clock() + seconds
            await asyncio.sleep(seconds)
            return
        pending = admission.settle(Usage(input_tokens=block))
        if pending is not None:
            await pending
        account.left += block


class NoAllowance:
    """No limit for anybody."""

    async def take(self, owner: str, tokens: int) -> None:
        """At once."""

    def correct(self, owner: str, estimated: int, used: int) -> None:
        """Nothing is counted."""

    def closed_seconds(self, owner: str) -> float:
        """Never."""
        return 0.0
