"""Stopping a batch: nothing new is begun, and what was not done is canceled.

The order of the effects: the record, then a message to the finisher. Workers look at the record every two seconds, and
the finisher ends the parts that no worker has, whatever they wait for. If the process dies before the message, or the
queue fails, the schedule sends it within a minute.
"""

import time
from collections.abc import Callable

from megallm.batches.model import Batch
from megallm.errors import GatewayError, NotFound
from megallm.keys import Caller
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.blocking import in_thread
from megallm.operations.gateway import Gateway
from megallm.operations.show_batches import batches_of, show_batch
from megallm.telemetry import log


async def cancel_batch(
    gateway: Gateway, caller: Caller, batch_id: str, clock: Callable[[], float] = time.time
) -> Batch:
    """The batch as it is then; asked twice, the first time stands, and one that has ended stays as it is.

    Raises NotFound.
    """
    batch = await show_batch(gateway, caller, batch_id)
    if batch.state == "ended":
        return batch
    stopped = await in_thread(cancel, batches_of(gateway), batch_id, clock())
    if stopped is None:
        raise NotFound(f"There is no batch with the id {batch_id}")
    return stopped


def cancel(ports: BatchPorts, batch_id: str, now: float) -> Batch | None:
    """Anybody's batch; None where there is none. Blocks. Raises InternalError where the record could not be written."""
    batch = ports.store.stop(batch_id, "canceled", now)
    if batch is not None and batch.state == "canceling":
        try:
            ports.queues.send_finish(batch_id)
        except GatewayError as error:  # it is canceled all the same
            log("batch_ends_later", {"batch_id": batch_id}, error=error)
    return batch
