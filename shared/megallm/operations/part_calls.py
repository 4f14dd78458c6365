"""Carries out the items of a part: each by create_message, again where that may help, until it has an outcome.

A refusal for lack of capacity is no attempt: the item waits, however long that takes. An attempt that timed out is one,
since it was paid for.
"""

import asyncio
from typing import cast

from megallm.batches.items import BadItem, Item
from megallm.batches.model import Batch, Job, request_id_of
from megallm.batches.results import Errored, Outcome, Succeeded, error_line, result_line
from megallm.catalog.models import Model
from megallm.errors import (
    GatewayError,
    InternalError,
    InvalidRequest,
    NotFound,
    RateLimited,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.keys import Caller
from megallm.messages.adaptations import HEADER as ADAPTED_HEADER
from megallm.operations.batch_concurrency import Slots
from megallm.operations.batch_sender import sender_of
from megallm.operations.batch_tools import BatchTools
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.create_message import create_message
from megallm.operations.part_recorder import PartRecorder
from megallm.operations.reserve_tokens import reserved_tokens
from megallm.operations.retry import retry_after_seconds
from megallm.operations.route_call import ROUTE_HEADER
from megallm.operations.trace import Trace
from megallm.telemetry import log

_RETRY_SECONDS, _RETRY_MOST_SECONDS = 0.5, 30.0
_MAX_ATTEMPTS = 3


def max_attempts_of(job: Job) -> int:
    """How often an item is tried: the option, or its default."""
    value = job.options.get("max_attempts")
    return value if isinstance(value, int) else _MAX_ATTEMPTS


def retry_wait(error: GatewayError, attempts: int, fraction: float) -> float:
    """Seconds before the next attempt after so many that failed; *fraction* in [0, 1) spreads them."""
    doubled = min(_RETRY_MOST_SECONDS, _RETRY_SECONDS * 2.0 ** (attempts - 1))
    return max(fraction * doubled, min(_RETRY_MOST_SECONDS, retry_after_seconds(error) or 0.0))


def record_outcome(recorder: PartRecorder, batch: Batch, item: Item | BadItem, outcome: Outcome) -> None:
    """The item has ended so."""
    error = None
    if isinstance(outcome, Errored):
        error = error_line(batch, item, outcome.error, outcome.attempts)
    recorder.finished(item.record, result_line(batch, item, outcome), error)


class PartCalls:
    """The items of one attempt at a part. ``broken`` becomes what ended one of them that nothing should end."""

    def __init__(self, tools: BatchTools, batch: Batch, watch: BatchWatch, recorder: PartRecorder) -> None:
        self._tools = tools
        self._batch = batch
        self._watch = watch
        self._recorder = recorder
        self._max_attempts = max_attempts_of(batch.job)
        self._sender = sender_of(batch.job)
        self._caller = Caller(batch.owner, "basic")
        self._tasks: set[asyncio.Task[None]] = set()
        self._unstarted: dict[asyncio.Task[None], Slots] = {}
        self._in_flight: set[asyncio.Task[None]] = set()
        self._used: set[str] = set()
        self._stopping = False
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self, item: Item | BadItem) -> bool:
        """Waits until the item may be begun, and begins it. False: nothing may begin any more."""
        await self._recorder.room()
        if isinstance(item, BadItem):
            record_outcome(self._recorder, self._batch, item, Errored(item.error, 0))
            return True
        try:
            model = self._tools.gateway.catalog.find(item.request.model)
            self._check_price(model)
        except (NotFound, InvalidRequest) as error:
            record_outcome(self._recorder, self._batch, item, Errored(error, 0))
            return True
        provider = model.routes[0].provider
        self._used.add(provider)
        slots = self._tools.slots(provider)
        estimate = reserved_tokens(item.request, item.body)
        await self._tools.allowance.take(self._batch.owner, estimate)
        began = await slots.enter()
        if self._watch.reason() is not None:
            slots.leave()
            return False
        task = asyncio.get_running_loop().create_task(self._carry_out(item, model, slots, began, estimate))
        self._tasks.add(task)
        self._unstarted[task] = slots
        task.add_done_callback(self._ended)
        return True

    def stop(self, *, cut: bool) -> None:
        """No attempt begins any more; *cut* cancels those that run as well."""
        self._stopping = True
        for task in self._tasks:
            if cut or task not in self._in_flight:
                task.cancel()

    async def wait(self, seconds: float | None = None) -> bool:
        """Until all that were begun have ended, or the time is over; whether they have."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return not self._tasks

    def close(self) -> None:
        """Nobody waits for ``broken`` any more."""
        if not self.broken.cancel():
            self.broken.exception()

    @property
    def closed_seconds(self) -> float:
        """How long one of the upstreams, or the allowance, lets nothing begin from now on."""
        upstreams = (self._tools.slots(provider).closed_seconds for provider in self._used)
        return max(self._tools.allowance.closed_seconds(self._batch.owner), *upstreams, 0.0)

    def _check_price(self, model: Model) -> None:
        if self._batch.max_microdollars is not None and model.prices is None:
            raise InvalidRequest(f"max_cost: the catalogue has no prices of {model.id}", param="max_cost")

    async def _carry_out(self, item: Item, model: Model, slots: Slots, began: float, estimate: int) -> None:
        attempts = 0
        answer: Outcome
        while True:
            try:
                answer = await self._attempt(item, model, slots, began, estimate)
                break
            except (RateLimited, UpstreamOverloaded):
                wait = 0.0
            except GatewayError as error:
                attempts += 1
                if not error.retryable or attempts >= self._max_attempts:
                    answer = Errored(error, attempts)
                    break
                wait = retry_wait(error, attempts, self._tools.fraction())
            if self._stopping:
                return
            await asyncio.sleep(wait)
            began = await slots.enter(first=True)
            if self._watch.reason() is not None:
                slots.leave()
                return
        record_outcome(self._recorder, self._batch, item, answer)

    async def _attempt(self, item: Item, model: Model, slots: Slots, began: float, estimate: int) -> Succeeded:
        """One call; it has a slot, and gives it back. Raises GatewayError."""
        trace = Trace(request_id_of(self._batch.id, item.record), key_id=self._batch.owner)
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._unstarted.pop(task, None)
        self._in_flight.add(task)
        try:
            answer = await create_message(
                self._tools.gateway, self._caller, item.request, self._sender, trace, item.body
            )
        except (RateLimited, UpstreamOverloaded, UpstreamTimedOut) as error:
            slots.refused(began, retry_after_seconds(error))
            raise
        except GatewayError:
            slots.answered(began)
            raise
        except Exception as error:
            # The outermost boundary of an item: what is wrong with one must not end the others.
            log("crash", {"request_id": trace.request_id}, error=error)
            raise InternalError("The gateway failed; the request id finds the reason in its log") from error
        finally:
            self._in_flight.discard(task)
            self._account(trace, model, estimate)
            self._tools.call_took(began)
            slots.leave()
        slots.answered(began)
        self._recorder.answered_by(answer.headers[ROUTE_HEADER])
        return Succeeded(answer.message, answer.headers.get(ADAPTED_HEADER))

    def _account(self, trace: Trace, model: Model, estimate: int) -> None:
        if trace.route is not None:
            self._recorder.spent(trace.usage, model.prices)
        if trace.usage is not None:
            used = trace.usage.prompt_tokens + trace.usage.output_tokens
            self._tools.allowance.correct(self._batch.owner, estimate, used)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if (slots := self._unstarted.pop(task, None)) is not None:
            slots.leave()  # cancelled before its first step, it could not do so itself
        if not task.cancelled() and (error := task.exception()) is not None and not self.broken.done():
            self.broken.set_exception(error)
