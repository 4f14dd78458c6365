"""From a key to its caller, through the short memory."""

import asyncio
from dataclasses import replace

import pytest

from megallm.errors import NotAuthenticated
from megallm.keys import Caller, Limits
from megallm.operations.authenticate import CACHE_ENTRIES, Authenticator
from tests.fakes import KEY, KEY_RECORD, MemoryKeys

CALLER = Caller("abcdefgh", "basic")


class Desk:
    """An authenticator with a clock that the test turns."""

    def __init__(self, *, cache_seconds: float = 30) -> None:
        self.now = 1_800_000_000.0
        self.keys = MemoryKeys(KEY_RECORD)
        self._authenticator = Authenticator(
            self.keys, cache_seconds=cache_seconds, clock=lambda: self.now, monotonic=lambda: self.now
        )

    def caller(self, key: str | None) -> Caller:
        return asyncio.run(self._authenticator.caller(key))

    def refusal(self, key: str | None) -> str:
        with pytest.raises(NotAuthenticated) as caught:
            self.caller(key)
        return caught.value.message


def test_a_known_key_is_its_caller() -> None:
    """Looked up by id."""
    assert Desk().caller(KEY) == CALLER


def test_a_callers_own_numbers_come_with_it() -> None:
    """Those of an enterprise key; the limiter needs no look-up of its own."""
    desk, numbers = Desk(), Limits(500, 2_000_000, 80)
    desk.keys.put(replace(KEY_RECORD, tier="enterprise", limits=numbers))

    assert desk.caller(KEY) == Caller("abcdefgh", "enterprise", numbers)


def test_a_warm_key_costs_no_read() -> None:
    """One read, then the memory."""
    desk = Desk()

    assert [desk.caller(KEY) for _ in range(5)] == [CALLER] * 5
    assert desk.keys.reads == 1


@pytest.mark.parametrize("key", [None, ""])
def test_a_missing_key_is_told_how_to_send_one(key: str | None) -> None:
    """The one refusal that says more."""
    assert Desk().refusal(key) == "An API key is required: send it as x-api-key or as Authorization: Bearer"


@pytest.mark.parametrize(
    "key",
    ["x", KEY[:-1], KEY + "s", KEY[:-1] + "t", "mega_ABCDEFGH_" + "s" * 43, KEY.replace("mega", "moga"), KEY + "\n"],
)
def test_every_wrong_key_gets_the_same_answer(key: str) -> None:
    """Nothing tells whether the id exists."""
    assert Desk().refusal(key) == "The API key is unknown, expired or revoked"


def test_a_key_without_the_format_costs_no_read() -> None:
    """Rubbish does not reach the table."""
    desk = Desk()

    desk.refusal("sk-ant-something")

    assert desk.keys.reads == 0


def test_a_revocation_holds_after_the_cache_time() -> None:
    """30 s, as the README states (C39)."""
    desk = Desk()
    desk.caller(KEY)
    desk.keys.revoke("abcdefgh", 1)

    desk.now += 29.9
    assert desk.caller(KEY) == CALLER
    desk.now += 0.2
    assert desk.refusal(KEY) == "The API key is unknown, expired or revoked"


def test_an_expiry_holds_at_once() -> None:
    """The time of expiry is in the record: the cache does not delay it."""
    desk = Desk()
    desk.keys.put(replace(KEY_RECORD, expires_at=int(desk.now) + 10))

    assert desk.caller(KEY) == CALLER
    desk.now += 10
    assert desk.refusal(KEY) == "The API key is unknown, expired or revoked"


def test_a_new_key_works_within_five_seconds_of_being_refused() -> None:
    """An unknown id is remembered for 5 s only."""
    desk = Desk()
    del desk.keys.records["abcdefgh"]
    desk.refusal(KEY)
    desk.keys.put(KEY_RECORD)

    desk.now += 4.9
    assert desk.refusal(KEY)
    desk.now += 0.2
    assert desk.caller(KEY) == CALLER


def test_guessed_ids_do_not_fill_the_memory() -> None:
    """The cache is bounded."""
    desk = Desk()

    async def guess() -> None:
        for number in range(CACHE_ENTRIES + 50):
            with pytest.raises(NotAuthenticated):
                await desk._authenticator.caller(f"mega_{number:08}_" + "s" * 43)

    asyncio.run(guess())

    assert len(desk._authenticator._cache) == CACHE_ENTRIES
