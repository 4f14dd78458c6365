"""Forgetting a batch that has ended, with all that was written for it."""

from itertools import chain

from megallm.batches.model import Batch, result_key
from megallm.errors import InvalidRequest
from megallm.keys import Caller
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.blocking import in_thread
from megallm.operations.gateway import Gateway
from megallm.operations.show_batches import batches_of, show_batch


async def delete_batch(gateway: Gateway, caller: Caller, batch_id: str) -> None:
    """Deletes the results and the record. Raises NotFound, or InvalidRequest for a batch that has not ended."""
    batch = await show_batch(gateway, caller, batch_id)
    if batch.state != "ended":
        raise InvalidRequest(f"The batch {batch.id} has not ended: cancel it first, and delete it when it has ended")
    await in_thread(_forget, batches_of(gateway), batch)


def _forget(ports: BatchPorts, batch: Batch) -> None:
    # The record goes last: as long as it is there, a deletion that broke off can be repeated.
    written = (ports.objects.list(prefix) for prefix in (result_key(batch.id, ""), f"work/{batch.id}/"))
    ports.objects.delete(chain.from_iterable(written))
    ports.store.delete(batch)
