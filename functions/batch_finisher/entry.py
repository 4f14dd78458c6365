"""The finisher's side of its two sources: the queue of batches whose parts are done, and the schedule."""

import time
from typing import Any

from functions.sqs_events import Context, Event, Message, failed, messages_of
from megallm.batches.pointers import UnreadablePointer, finish_from_wire
from megallm.composition.batches import BatchWork
from megallm.errors import GatewayError
from megallm.operations.finish_batch import finish_batch
from megallm.operations.sweep_batches import sweep_batches
from megallm.telemetry import log


class FinisherEntry:
    """The function's handler."""

    def __init__(self, work: BatchWork) -> None:
        self._work = work

    def __call__(self, event: Event, context: Context | None) -> dict[str, Any]:
        if "Records" in event:
            return failed(message.id for message in messages_of(event) if not self._is_done(message))
        # The schedule's event: who it comes from makes no difference.
        sweep_batches(self._work.ports, time.time(), self._work.rules, self._work.gateway.metrics)
        return {}

    def _is_done(self, message: Message) -> bool:
        try:
            finish_batch(self._work.ports, finish_from_wire(message.body), time.time())
        except (GatewayError, UnreadablePointer) as error:
            log("finish_failed", {"message_id": message.id}, error=error)
            return False
        except Exception as error:  # noqa: BLE001  the outermost boundary: the others go on
            log("finish_broken", {"message_id": message.id}, error=error)
            return False
        return True
