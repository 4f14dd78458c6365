"""Carries out the items of a part: each by create_message, again where that may help, until it has an outcome.

A refusal for lack of capacity is no attempt: the item waits, however long that takes. An attempt that timed out is one,
since it was paid for.
"""

import asyncio
from collections.abc import Callable
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
from megallm.messages.frozen import frozen
from megallm.operations.batch_concurrency import Slots
from megallm.operations.batch_cost import most_of, unpriced
from megallm.operations.batch_sender import sender_of
from megallm.operations.batch_tools import BatchTools
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.create_message import create_message
from megallm.operations.part_money import PartMoney
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


@frozen
class _Planned:
    """An item that is to be called: ``estimate`` in tokens of input, ``most`` in what one call could cost."""

    item: Item
    model: Model
    slots: Slots
    estimate: int
    most: float


class PartCalls:
    """The items of one attempt at a part. ``broken`` becomes what ended one of them that nothing should end.

    *may_begin* is asked before each item, once it has its slot.
    """

    def __init__(
        self,
        tools: BatchTools,
        batch: Batch,
        watch: BatchWatch,
        recorder: PartRecorder,
        may_begin: Callable[["PartCalls"], bool] = lambda calls: True,
    ) -> None:
        self._may_begin = may_begin
        self._tools = tools
        self._batch = batch
        self._watch = watch
        self._recorder = recorder
        self._max_attempts = max_attempts_of(batch.job)
        self._sender = sender_of(batch.job)
        limit = batch.max_microdollars
        self._money = None if limit is None else PartMoney(tools, watch, recorder.ledger, limit)
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
        most = taken = 0.0
        if self._money is not None:
            most = most_of(item, model, estimate)
            had = await self._money.take(most)
            if had is None:
                return False
            taken = had
        await self._tools.allowance.take(self._batch.owner, estimate)
        began = await slots.enter()
        if self._watch.reason() is not None or not self._may_begin(self):
            slots.leave()
            self._settle(taken, most, None)
            return False
        task = asyncio.get_running_loop().create_task(
            self._carry_out(_Planned(item, model, slots, estimate, most), began, taken)
        )
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
    def is_calling(self) -> bool:
        """Whether a call is in flight."""
        return bool(self._in_flight)

    @property
    def closed_seconds(self) -> float:
        """How long one of the upstreams, the allowance or the want of money lets nothing begin from now on."""
        upstreams = (self._tools.slots(provider).closed_seconds for provider in self._used)
        money = 0.0 if self._money is None else self._money.closed_seconds
        return max(self._tools.allowance.closed_seconds(self._batch.owner), money, *upstreams, 0.0)

    def _check_price(self, model: Model) -> None:
        if self._batch.max_microdollars is not None and model.prices is None:
            raise unpriced(model)

    async def _carry_out(self, planned: "_Planned", began: float, taken: float) -> None:
        attempts = 0
        answer: Outcome
        while True:
            try:
                answer = await self._attempt(planned, began, taken)
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
            if self._money is not None:
                had = await self._money.take(planned.most)
                if had is None:
                    return
                taken = had
            began = await planned.slots.enter(first=True)
            if self._watch.reason() is not None:
                planned.slots.leave()
                self._settle(taken, planned.most, None)
                return
        record_outcome(self._recorder, self._batch, planned.item, answer)

    async def _attempt(self, planned: "_Planned", began: float, taken: float) -> Succeeded:
        """One call; it has a slot and its money, and gives both back. Raises GatewayError."""
        item, slots = planned.item, planned.slots
        trace = Trace(request_id_of(self._batch.id, item.record), key_id=self._batch.owner)
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._unstarted.pop(task, None)
        self._in_flight.add(task)
        try:
            answer = await create_message(
                self._tools.gateway, self._caller, item.request, self._sender, trace, item.body
            )
        except (RateLimited, UpstreamOverloaded, UpstreamTimedOut) as error:
            trace.failed(error)
            slots.refused(began, retry_after_seconds(error))
            raise
        except GatewayError as error:
            trace.failed(error)
            slots.answered(began)
            raise
        except Exception as error:
            # The outermost boundary of an item: what is wrong with one must not end the others.
            log("crash", {"request_id": trace.request_id}, error=error)
            failure = InternalError("The gateway failed; the request id finds the reason in its log")
            trace.failed(failure)
            raise failure from error
        finally:
            self._in_flight.discard(task)
            self._account(trace, planned, taken)
            self._tools.meter.called(self._watch.tier, trace)
            if not task.cancelling():  # one that was cut says nothing of how long calls take
                self._tools.call_took(began)
            slots.leave()
        slots.answered(began)
        self._recorder.answered_by(answer.headers[ROUTE_HEADER])
        return Succeeded(answer.message, answer.headers.get(ADAPTED_HEADER))

    def _account(self, trace: Trace, planned: "_Planned", taken: float) -> None:
        usage = trace.usage
        cost = 0.0
        if trace.route is not None:
            cost = self._recorder.spent(usage, planned.model.prices)
        if usage is not None:
            used = usage.prompt_tokens + usage.output_tokens
            self._tools.allowance.correct(self._batch.owner, planned.estimate, used)
        self._settle(taken, planned.most, None if usage is None else cost)

    def _settle(self, taken: float, most: float, cost: float | None) -> None:
        if self._money is not None:
            self._money.settle(taken, most, cost)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if (slots := self._unstarted.pop(task, None)) is not None:
            slots.leave()  # cancelled before its first step, it could not do so itself
        if not task.cancelled() and (error := task.exception()) is not None and not self.broken.done():
            self.broken.set_exception(error)
