"""Creating, listing and revoking API keys."""

from collections.abc import Callable

from megallm.errors import InvalidRequest, NotFound
from megallm.keys import KeyRecord, Tier, hash_of, new_key
from megallm.operations.ports import KeyStore

Clock = Callable[[], float]


def create_key(
    store: KeyStore, *, name: str, tier: Tier, expires_at: int | None, clock: Clock
) -> tuple[str, KeyRecord]:
    """The new key, which nothing keeps, and its record. Raises InvalidRequest for an expiry in the past."""
    now = int(clock())
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("The key would have expired already: --expires must lie in the future", param="expires")
    while True:
        key, key_id = new_key()
        record = KeyRecord(key_id, hash_of(key), name, tier, now, expires_at)
        if store.add(record):
            return key, record


def list_keys(store: KeyStore) -> list[KeyRecord]:
    """All keys, the newest first."""
    return sorted(store.list(), key=lambda record: (-record.created_at, record.id))


def show_key(store: KeyStore, key_id: str) -> KeyRecord:
    """One key's record. Raises NotFound."""
    record = store.get(key_id)
    if record is None:
        raise NotFound(f"There is no key with the id {key_id}")
    return record


def revoke_key(store: KeyStore, key_id: str, *, clock: Clock) -> KeyRecord:
    """The record with the time of its revocation, the first one if it was revoked before. Raises NotFound."""
    record = store.revoke(key_id, int(clock()))
    if record is None:
        raise NotFound(f"There is no key with the id {key_id}")
    return record
