"""Keys are made, shown and revoked."""

import itertools
from dataclasses import replace

import pytest

from megallm.errors import InvalidRequest, NotFound
from megallm.keys import KeyRecord, Limits, Tier, hash_of, id_of, matches, status
from megallm.operations.manage_keys import Numbers, create_key, list_keys, revoke_key, show_key, update_key
from tests.fakes import MemoryKeys


def test_a_new_key_is_stored_only_as_a_hash() -> None:
    """The record has the SHA-256, nowhere the key."""
    store = MemoryKeys()

    key, record = create_key(store, name="ci", tier="pro", expires_at=200, clock=lambda: 100.9)

    assert record == KeyRecord(id_of(key) or "", hash_of(key), "ci", "pro", 100, 200)
    assert store.records == {record.id: record}
    assert matches(record, key)


def test_keys_differ() -> None:
    """256 random bits each."""
    store = MemoryKeys()

    keys = {create_key(store, name="", tier="basic", expires_at=None, clock=lambda: 1)[0] for _ in range(100)}

    assert len(keys) == 100


def test_an_expiry_in_the_past_is_refused() -> None:
    """It is a slip of the keyboard, not a wish."""
    store = MemoryKeys()

    with pytest.raises(InvalidRequest):
        create_key(store, name="", tier="basic", expires_at=100, clock=lambda: 100)

    assert store.records == {}


def test_the_first_revocation_stands() -> None:
    """Revoked twice, the time of the first is kept."""
    store = MemoryKeys()
    clock = itertools.count(10)
    _, record = create_key(store, name="", tier="basic", expires_at=None, clock=lambda: next(clock))

    revoked = [revoke_key(store, record.id, clock=lambda: next(clock)).revoked_at for _ in range(2)]

    assert revoked == [11, 11]
    assert status(show_key(store, record.id), now=12) == "revoked"


def test_the_newest_key_is_listed_first() -> None:
    """By time of creation, then id."""
    old, new = KeyRecord("a" * 8, "", "old", "basic", 1), KeyRecord("b" * 8, "", "new", "basic", 2)

    assert list_keys(MemoryKeys(old, new)) == [new, old]


NUMBERS = Numbers(requests_per_minute=500, tokens_per_minute=2_000_000, concurrent=80)
LIMITS = Limits(500, 2_000_000, 80)


def enterprise(store: MemoryKeys) -> KeyRecord:
    return create_key(store, name="", tier="enterprise", expires_at=None, clock=lambda: 1, numbers=NUMBERS)[1]


def test_an_enterprise_key_has_numbers_of_its_own() -> None:
    """In its record."""
    store = MemoryKeys()

    record = enterprise(store)

    assert record.limits == LIMITS
    assert store.records == {record.id: record}


@pytest.mark.parametrize(
    ("tier", "numbers", "told"),
    [
        (
            "enterprise",
            Numbers(tokens_per_minute=5),
            "An enterprise key needs numbers of its own: give --rpm, --concurrent too",
        ),
        ("enterprise", Numbers(), "An enterprise key needs numbers of its own: give --rpm, --tpm, --concurrent too"),
        ("pro", NUMBERS, "A pro key has its tier's numbers: only an enterprise key has its own"),
    ],
)
def test_numbers_that_do_not_fit_the_tier_are_refused(tier: Tier, numbers: Numbers, told: str) -> None:
    """And no key is made."""
    store = MemoryKeys()

    with pytest.raises(InvalidRequest) as caught:
        create_key(store, name="", tier=tier, expires_at=None, clock=lambda: 1, numbers=numbers)

    assert (caught.value.message, store.records) == (told, {})


def test_numbers_can_be_changed_one_by_one() -> None:
    """The others stay."""
    store = MemoryKeys()
    record = enterprise(store)

    changed = update_key(store, record.id, tier=None, numbers=Numbers(concurrent=9))

    assert changed == replace(record, limits=replace(LIMITS, concurrent=9))
    assert store.records == {record.id: changed}


def test_a_key_can_become_another_tiers() -> None:
    """Up with numbers, down without; the numbers do not come back by themselves."""
    store = MemoryKeys()
    _, record = create_key(store, name="", tier="basic", expires_at=None, clock=lambda: 1)

    up = update_key(store, record.id, tier="enterprise", numbers=NUMBERS)
    down = update_key(store, record.id, tier="pro", numbers=Numbers())

    assert (up, down) == (replace(record, tier="enterprise", limits=LIMITS), replace(record, tier="pro"))
    with pytest.raises(InvalidRequest):
        update_key(store, record.id, tier="enterprise", numbers=Numbers())


def test_an_update_of_nothing_is_told() -> None:
    """It is a slip."""
    store = MemoryKeys()
    record = enterprise(store)

    with pytest.raises(InvalidRequest, match="nothing to change"):
        update_key(store, record.id, tier=None, numbers=Numbers())


def test_a_key_that_goes_away_meanwhile_is_not_made_anew() -> None:
    """Between the look and the change."""

    class Vanishing(MemoryKeys):
        def set_tier(self, key_id: str, tier: Tier, limits: Limits | None) -> KeyRecord | None:
            del self.records[key_id]
            return super().set_tier(key_id, tier, limits)

    store = Vanishing()
    record = enterprise(store)

    with pytest.raises(NotFound):
        update_key(store, record.id, tier="pro", numbers=Numbers())

    assert store.records == {}


@pytest.mark.parametrize(
    "action",
    [
        show_key,
        lambda store, key_id: revoke_key(store, key_id, clock=lambda: 1),
        lambda store, key_id: update_key(store, key_id, tier="pro", numbers=Numbers()),
    ],
)
def test_an_unknown_key_is_told(action: object) -> None:
    """Showing, changing and revoking it is a NotFound with the id."""
    assert callable(action)

    with pytest.raises(NotFound, match="nokeyhere"):
        action(MemoryKeys(), "nokeyhere")
