"""The results of a batch that has ended, as the lines of a file of any size."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

from megallm.batches.model import result_key
from megallm.errors import InternalError, InvalidRequest, NotFound
from megallm.keys import Caller
from megallm.operations.batch_ports import ObjectChanged, ObjectStore
from megallm.operations.blocking import in_thread, pieces_in_thread
from megallm.operations.gateway import Gateway
from megallm.operations.show_batches import batches_of, show_batch


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """JSON lines, ``size`` bytes in all. ``pieces`` must be closed; it raises InternalError where they break off."""

    size: int
    pieces: AsyncGenerator[bytes, None]


async def batch_results(gateway: Gateway, caller: Caller, batch_id: str) -> ResultsFile:
    """The results, the first piece of which has been read.

    Raises NotFound, also where they are there no more, or InvalidRequest for a batch that has not ended.
    """
    batch = await show_batch(gateway, caller, batch_id)
    if batch.state != "ended":
        raise InvalidRequest(f"The batch {batch.id} has not ended: its results are there once it has")
    return await in_thread(_open, batches_of(gateway).objects, result_key(batch.id, "results.jsonl"), batch.id)


def _open(objects: ObjectStore, key: str, batch_id: str) -> ResultsFile:
    gone = NotFound(f"The results of the batch {batch_id} are no longer there")
    head = objects.head(key)
    if head is None:
        raise gone
    pieces = objects.stream(key, head.version)
    try:
        first = next(pieces, b"")
    except ObjectChanged:
        raise gone from None
    return ResultsFile(head.size, pieces_in_thread(_whole(first, pieces)))


def _whole(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    try:
        if first:
            yield first
        yield from others
    except ObjectChanged as error:
        raise InternalError("The results were deleted while they were read") from error
