"""Each minute: sees to it that every batch goes on, whatever was lost on the way, and that none outlives its time."""

from megallm.batches.model import Batch
from megallm.errors import GatewayError
from megallm.operations.batch_ending import refuse_batch
from megallm.operations.batch_index import USUAL, IndexRules, index_batch, is_dry_run
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.send_parts import send_lost
from megallm.telemetry import log

# An intake has 15 minutes; one that has not ended after this has died.
INDEXING_SECONDS = 1200.0


def sweep_batches(ports: BatchPorts, now: float, rules: IndexRules = USUAL) -> None:
    """Looks after all open batches. One that fails does not stop the others; its error is raised at the end."""
    failure: GatewayError | None = None
    for batch in ports.store.open():
        try:
            _sweep(ports, batch, now, rules)
        except GatewayError as error:
            log("sweep_failed", {"batch_id": batch.id}, error=error)
            failure = error
    if failure is not None:
        raise failure


def _sweep(ports: BatchPorts, batch: Batch, now: float, rules: IndexRules) -> None:
    is_over = now >= batch.expires_at
    if batch.state == "indexing" and is_over:
        refuse_batch(ports, batch, "The input could not be read within the batch's time", now)
    elif batch.state == "indexing" or is_dry_run(batch):
        if now - batch.created_at > INDEXING_SECONDS:
            index_batch(ports, batch, now, rules)
    else:
        _keep_going(ports, batch, now, is_over=is_over)


def _keep_going(ports: BatchPorts, batch: Batch, now: float, *, is_over: bool) -> None:
    if is_over and batch.stop is None:
        batch = ports.store.stop(batch.id, "expired", now) or batch
    if batch.parts_done < batch.parts:
        send_lost(ports, batch, now)
    else:
        # Not finished here: a message comes again until the end is told, too.
        ports.queues.send_finish(batch.id)
