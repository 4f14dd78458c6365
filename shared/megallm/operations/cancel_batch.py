"""Stopping a batch: nothing new is begun, and what was not done is canceled."""

import time
from collections.abc import Callable

from megallm.batches.model import Batch
from megallm.errors import NotFound
from megallm.keys import Caller
from megallm.operations.blocking import in_thread
from megallm.operations.gateway import Gateway
from megallm.operations.show_batches import batches_of, show_batch


async def cancel_batch(
    gateway: Gateway, caller: Caller, batch_id: str, clock: Callable[[], float] = time.time
) -> Batch:
    """The batch as it is then; asked twice, the first time stands, and one that has ended stays as it is.

    Raises NotFound.
    """
    batch = await show_batch(gateway, caller, batch_id)
    if batch.state == "ended":
        return batch
    stopped = await in_thread(batches_of(gateway).store.stop, batch_id, "canceled", clock())
    if stopped is None:
        raise NotFound(f"There is no batch with the id {batch_id}")
    return stopped
