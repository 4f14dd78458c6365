"""The batches of one key: one of them, or a page. What belongs to others is not there."""

import re
from collections.abc import Sequence

from megallm.batches.model import Batch
from megallm.errors import InvalidRequest, NotFound, clip
from megallm.keys import Caller
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.blocking import in_thread
from megallm.operations.gateway import Gateway

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000

_ID = re.compile(r"msgbatch_[0-9a-f]{24}", re.ASCII)


def batches_of(gateway: Gateway) -> BatchPorts:
    """What batches need. Raises NotFound where this deployment has none."""
    if gateway.batches is None:
        raise NotFound("This deployment has no batches: it was set up without a bucket for them")
    return gateway.batches


async def show_batch(gateway: Gateway, caller: Caller, batch_id: str) -> Batch:
    """A batch of the caller's, as of now. Raises NotFound."""
    ports = batches_of(gateway)
    batch = await in_thread(_own, ports, caller, batch_id)
    if batch is None:
        raise NotFound(f"There is no batch with the id {clip(batch_id)}")
    return batch


async def list_batches(
    gateway: Gateway, caller: Caller, *, limit: str | None, after_id: str | None, before_id: str | None
) -> tuple[Sequence[Batch], bool]:
    """A page of the caller's batches, the newest first, and whether there are more in that direction.

    Raises InvalidRequest for a limit outside 1 to 1000, for an id that is not one of the caller's, or both at once.
    """
    ports = batches_of(gateway)
    count = _limit(limit)
    if after_id is not None and before_id is not None:
        raise InvalidRequest("before_id: only one of after_id and before_id can be given", param="before_id")
    for name, cursor in (("after_id", after_id), ("before_id", before_id)):
        if cursor is not None and await in_thread(_own, ports, caller, cursor) is None:
            raise InvalidRequest(f"{name}: there is no batch with this id", param=name)
    return await in_thread(ports.store.list, caller.key_id, limit=count, after_id=after_id, before_id=before_id)


def _own(ports: BatchPorts, caller: Caller, batch_id: str) -> Batch | None:
    """Of an id that cannot be one, a store is not asked: it may be too long for it."""
    batch = ports.store.get(batch_id) if _ID.fullmatch(batch_id) else None
    return batch if batch is not None and batch.owner == caller.key_id else None


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    limit = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT)) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(f"limit: Input should be a whole number from 1 to {MAX_LIMIT}", param="limit")
    return limit
