"""The worker's side of its queue: the parts of one invocation, all at once."""

import asyncio
import time
from typing import Any

from functions.sqs_events import Context, Event, Message, failed, messages_of
from megallm.batches.pointers import UnreadablePointer, part_from_wire
from megallm.composition.batches import BatchWork
from megallm.errors import GatewayError
from megallm.telemetry import log


class WorkerEntry:
    """The function's handler. What it learned of an upstream, and its connections, stay for the next invocation.

    *loop* is where all of them run.
    """

    def __init__(self, work: BatchWork, loop: asyncio.AbstractEventLoop) -> None:
        self._worker = work.worker()
        self._loop = loop

    def __call__(self, event: Event, context: Context) -> dict[str, Any]:
        deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
        return self._loop.run_until_complete(self.run(event, deadline))

    async def run(self, event: Event, deadline: float | None) -> dict[str, Any]:
        """The same where the loop runs already; *deadline* is a moment of the monotonic clock, None for no end."""
        messages = messages_of(event)
        done = await asyncio.gather(*(self._is_done(message, deadline) for message in messages))
        return failed(message.id for message, is_done in zip(messages, done, strict=True) if not is_done)

    async def _is_done(self, message: Message, deadline: float | None) -> bool:
        try:
            pointer = part_from_wire(message.body)
            await self._worker.run(pointer.batch_id, pointer.part, deadline)
        except (GatewayError, UnreadablePointer) as error:
            log("part_failed", {"message_id": message.id}, error=error)
            return False
        except Exception as error:  # noqa: BLE001  the outermost boundary: the others go on
            log("part_broken", {"message_id": message.id}, error=error)
            return False
        return True
