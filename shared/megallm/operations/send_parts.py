"""Sends parts to the queue: those that were never sent, and those that seem to be lost. Twice does no harm."""

from collections.abc import Iterable
from itertools import islice

from megallm.batches.model import Batch, Part
from megallm.operations.batch_ports import BatchPorts

STALE_SECONDS = 900.0
_AT_ONCE = 100


def is_unsent(part: Part) -> bool:
    """Whether nobody has noted that the part was sent."""
    return not part.done and part.queued_at == 0


def is_lost(part: Part, now: float) -> bool:
    """Whether the part may be in no queue and with no worker.

    It was sent long ago; or its worker has died, which shows in a lease that was not given back and has run out since
    the part was last sent.
    """
    if part.done or part.leased_until > now:
        return False
    return is_unsent(part) or now - part.queued_at > STALE_SECONDS or part.queued_at < part.leased_until


def send_unsent(ports: BatchPorts, batch: Batch, now: float) -> None:
    """Sends what was never sent."""
    _send(ports, batch, (part.number for part in ports.store.parts(batch.id) if is_unsent(part)), now)


def send_lost(ports: BatchPorts, batch: Batch, now: float) -> None:
    """Sends what seems to be lost."""
    _send(ports, batch, (part.number for part in ports.store.parts(batch.id) if is_lost(part, now)), now)


def _send(ports: BatchPorts, batch: Batch, numbers: Iterable[int], now: float) -> None:
    left = iter(numbers)
    while some := list(islice(left, _AT_ONCE)):
        ports.queues.send_parts(batch, some)
        ports.store.queued(batch.id, some, now)
