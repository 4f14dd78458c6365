"""Creating, listing, changing and revoking API keys."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from megallm.errors import InvalidRequest, NotFound
from megallm.keys import KeyRecord, Limits, Tier, hash_of, new_key
from megallm.operations.ports import KeyStore

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The limits that an operator asks for, one by one; None where nothing is asked."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


_NONE = Numbers()
_OPTIONS = {"requests_per_minute": "--rpm", "tokens_per_minute": "--tpm", "concurrent": "--concurrent"}


def create_key(
    store: KeyStore, *, name: str, tier: Tier, expires_at: int | None, clock: Clock, numbers: Numbers = _NONE
) -> tuple[str, KeyRecord]:
    """The new key, which nothing keeps, and its record.

    Raises InvalidRequest for an expiry in the past, and for numbers that are missing or not this tier's.
    """
    now = int(clock())
    limits = _limits_of(tier, numbers, None)
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("The key would have expired already: --expires must lie in the future", param="expires")
    while True:
        key, key_id = new_key()
        record = KeyRecord(key_id, hash_of(key), name, tier, now, expires_at, limits=limits)
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


def update_key(store: KeyStore, key_id: str, *, tier: Tier | None, numbers: Numbers) -> KeyRecord:
    """The record with another tier, or with other numbers; those that are not given stay.

    Raises NotFound, or InvalidRequest as ``create_key`` does and where nothing is to be changed.
    """
    if tier is None and numbers == _NONE:
        raise InvalidRequest("There is nothing to change: give --tier, --rpm, --tpm or --concurrent")
    record = show_key(store, key_id)
    tier = tier or record.tier
    changed = store.set_tier(key_id, tier, _limits_of(tier, numbers, record.limits))
    if changed is None:
        raise NotFound(f"There is no key with the id {key_id}")
    return changed


def _limits_of(tier: Tier, numbers: Numbers, before: Limits | None) -> Limits | None:
    given = {name: value for name, value in asdict(numbers).items() if value is not None}
    if tier != "enterprise":
        if given:
            raise InvalidRequest(
                f"A {tier} key has its tier's numbers: only an enterprise key has its own", param="tier"
            )
        return None
    merged = (asdict(before) if before is not None else {}) | given
    missing = [option for name, option in _OPTIONS.items() if name not in merged]
    if missing:
        raise InvalidRequest(f"An enterprise key needs numbers of its own: give {', '.join(missing)} too", param="tier")
    return Limits(**merged)
