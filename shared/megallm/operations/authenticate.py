"""From the key in a request to its caller, with a short memory so that a warm request reads no table."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from megallm.errors import NotAuthenticated
from megallm.keys import Caller, KeyRecord, id_of, matches, status
from megallm.operations.ports import KeyStore

UNKNOWN_KEY_SECONDS = 5.0  # an unknown id is asked for again soon: the key may just have been made
CACHE_ENTRIES = 10_000  # bounds the memory that guessed ids can take

_REFUSED = "The API key is unknown, expired or revoked"


class Authenticator:
    """Looks keys up and remembers them: a found record for *cache_seconds*, a missing one for 5 s."""

    def __init__(
        self,
        store: KeyStore,
        *,
        cache_seconds: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._cache: OrderedDict[str, tuple[float, KeyRecord | None]] = OrderedDict()

    async def caller(self, key: str | None) -> Caller:
        """Who holds the key. Raises NotAuthenticated, with one text for every way a key can be wrong."""
        if not key:
            raise NotAuthenticated("An API key is required: send it as x-api-key or as Authorization: Bearer")
        key_id = id_of(key)
        record = await self._record(key_id) if key_id is not None else None
        if record is None or not matches(record, key) or status(record, self._clock()) != "active":
            raise NotAuthenticated(_REFUSED)
        return Caller(record.id, record.tier, record.limits)

    async def _record(self, key_id: str) -> KeyRecord | None:
        now = self._monotonic()  # before the read: what it finds may be that old when it arrives
        cached = self._cache.get(key_id)
        if cached is not None and now < cached[0]:
            return cached[1]
        record = await asyncio.to_thread(self._store.get, key_id)
        keep = self._cache_seconds if record is not None else min(UNKNOWN_KEY_SECONDS, self._cache_seconds)
        self._cache[key_id] = (now + keep, record)
        self._cache.move_to_end(key_id)
        if len(self._cache) > CACHE_ENTRIES:
            self._cache.popitem(last=False)
        return record
