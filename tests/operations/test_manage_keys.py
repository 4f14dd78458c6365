"""Keys are made, shown and revoked."""

import itertools

import pytest

from megallm.errors import InvalidRequest, NotFound
from megallm.keys import KeyRecord, hash_of, id_of, matches, status
from megallm.operations.manage_keys import create_key, list_keys, revoke_key, show_key
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


@pytest.mark.parametrize("action", [show_key, lambda store, key_id: revoke_key(store, key_id, clock=lambda: 1)])
def test_an_unknown_key_is_told(action: object) -> None:
    """Showing and revoking it is a NotFound with the id."""
    assert callable(action)

    with pytest.raises(NotFound, match="nokeyhere"):
        action(MemoryKeys(), "nokeyhere")
