"""Each minute: sees to it that every batch goes on, whatever was lost on the way, and that none outlives its time."""

from megallm.batches.model import Batch
from megallm.errors import GatewayError
from megallm.operations.batch_ending import refuse_batch
from megallm.operations.batch_index import USUAL, IndexRules, index_batch, is_dry_run
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.send_parts import send_lost
from megallm.telemetry import log
from megallm.telemetry.embedded import EmbeddedMetrics
from megallm.telemetry.metrics import STUCK_BATCHES

# An intake has 15 minutes; one that has not ended after this has died.
INDEXING_SECONDS = 1200.0
# Whoever ended a batch tells of it at once. If that is not done after this, it has died, or the bus failed it.
TELLING_SECONDS = 120.0
# A batch that was stopped, or whose end is to be told, needs minutes for it. After this, nothing helps but a person.
STUCK_SECONDS = 3600.0


def sweep_batches(
    ports: BatchPorts, now: float, rules: IndexRules = USUAL, metrics: EmbeddedMetrics | None = None
) -> None:
    """Looks after all open batches. One that fails does not stop the others; its error is raised at the end."""
    failure: GatewayError | None = None
    stuck = 0
    for batch in ports.store.open():
        failed = False
        try:
            _sweep(ports, batch, now, rules)
        except GatewayError as error:
            log("sweep_failed", {"batch_id": batch.id}, error=error)
            failure, failed = error, True
        if failed or is_stuck(batch, now):
            log("stuck_batch", {"batch_id": batch.id, "state": batch.state})
            stuck += 1
    if metrics is not None:
        log("swept", {}, members=metrics.members(now, {}, {STUCK_BATCHES: stuck}))
    if failure is not None:
        raise failure


def is_stuck(batch: Batch, now: float) -> bool:
    """Whether it should be further by now, with all that was lost on the way sent again.

    One whose parts wait for a worker, or for their owner's allowance, may do so until its time is over.
    """
    if batch.state == "ended":
        since, most = batch.ended_at, STUCK_SECONDS
    elif batch.state == "indexing" or is_dry_run(batch):
        since, most = batch.created_at, INDEXING_SECONDS
    else:
        since, most = batch.stop_requested_at, STUCK_SECONDS
    return since is not None and now - since > most


def _sweep(ports: BatchPorts, batch: Batch, now: float, rules: IndexRules) -> None:
    is_over = now >= batch.expires_at
    if batch.state == "ended":
        if now - (batch.ended_at or 0.0) > TELLING_SECONDS:
            ports.queues.send_finish(batch.id)
    elif batch.state == "indexing" and is_over:
        refuse_batch(ports, batch, "The input could not be read within the batch's time", now)
    elif batch.state == "indexing" or is_dry_run(batch):
        if now - batch.created_at > INDEXING_SECONDS:
            index_batch(ports, batch, now, rules)
    else:
        _keep_going(ports, batch, now, is_over=is_over)


def _keep_going(ports: BatchPorts, batch: Batch, now: float, *, is_over: bool) -> None:
    if is_over and batch.stop is None:
        batch = ports.store.stop(batch.id, "expired", now) or batch
    if batch.stop is None and batch.parts_done < batch.parts:
        send_lost(ports, batch, now)
    else:
        # Not finished here: a message comes again until the end is told, too. Of a batch that was stopped, the finisher
        # ends the parts that no worker has.
        ports.queues.send_finish(batch.id)
