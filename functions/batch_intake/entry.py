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
            return False
        except Exception as error:  # noqa: BLE001  the outermost boundary: the others go on
            log("intake_broken", {"message_id": message.id}, error=error)
            return False
        return True

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
                work.owners.is_known,
                work.rules,
            )
            log("intake", {"message_id": message.id, "batch_id": batch.id, "state": batch.state, "items": batch.total})

    def _take_in_job(self, message: Message) -> None:
        work = self._work
        now = time.time()
        try:
            job = parse_job(message.body.encode("utf-8", "surrogatepass"))
        except InvalidRequest as error:
            batch = refuse_job(work.ports, message.id, error.message, now)
        else:
            batch = intake_job(
                work.ports,
                job,
                message.id,
                now,
                work.owners.is_known,
                work.rules,
            )
        log("intake", {"message_id": message.id, "batch_id": batch.id, "state": batch.state, "items": batch.total})
