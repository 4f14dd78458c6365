"""The intake's side of its queue: one message after the other, each an S3 event or a job."""

import time
from typing import Any

from functions.batch_intake.events import dropped_in
from functions.sqs_events import Context, Event, Message, failed, messages_of
from megallm.batches.job_message import parse_job
from megallm.composition.batches import BatchWork
from megallm.errors import GatewayError, InvalidRequest
from megallm.operations.intake_batch import intake_job, intake_object
from megallm.operations.refuse_job import refuse_job
from megallm.telemetry import log

# The queue would give a message back after six times the function's own time: an hour and a half, in which nobody sees
# that a file was dropped. So soon, and then ever later: the last of its five tries is 81 minutes after the first.
_AGAIN_SECONDS = (60, 240, 960, 3600)


class IntakeEntry:
    """The function's handler."""

    def __init__(self, work: BatchWork) -> None:
        self._work = work

    def __call__(self, event: Event, context: Context | None) -> dict[str, Any]:
        return failed(message.id for message in messages_of(event) if not self._is_done(message))

    def _is_done(self, message: Message) -> bool:
        try:
            self._take_in(message)
        except GatewayError as error:
            log("intake_failed", {"message_id": message.id}, error=error)
        except Exception as error:  # noqa: BLE001  the outermost boundary: the others go on
            log("intake_broken", {"message_id": message.id}, error=error)
        else:
            return True
        self._have_it_again(message)
        return False

    def _have_it_again(self, message: Message) -> None:
        """Where that fails too, it comes again after the queue's own time."""
        try:
            self._work.ports.queues.intake_again(message.receipt, again_after(message.deliveries))
        except GatewayError as error:
            log("intake_waits", {"message_id": message.id}, error=error)

    def _take_in(self, message: Message) -> None:
        work = self._work
        found = dropped_in(message.body)
        if found is None:
            self._take_in_job(message)
            return
        for item in found:
            if item.bucket != work.ports.bucket:
                log("intake_foreign_bucket", {"message_id": message.id})
                continue
            batch = intake_object(
                work.ports,
                item.key,
                item.version,
                time.time(),
                work.owners.standing,
                work.rules,
            )
            log("intake", {"message_id": message.id, "batch_id": batch.id, "state": batch.state, "items": batch.total})

    def _take_in_job(self, message: Message) -> None:
        work = self._work
        now = time.time()
        body = message.body.encode("utf-8", "surrogatepass")
        try:
            job = parse_job(body)
        except InvalidRequest as error:
            batch = refuse_job(work.ports, message.id, body, error.message, now)
        else:
            batch = intake_job(
                work.ports,
                job,
                message.id,
                now,
                work.owners.standing,
                work.rules,
            )
        log("intake", {"message_id": message.id, "batch_id": batch.id, "state": batch.state, "items": batch.total})


def again_after(deliveries: int) -> int:
    """In how many seconds a message is to come that could not be worked off so many times."""
    return _AGAIN_SECONDS[min(deliveries, len(_AGAIN_SECONDS)) - 1]
