"""One translated call to a chat-completions server: sent, read, and, where a schema is asked for, judged."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace

from megallm.errors import UnfitReply, UpstreamFailed
from megallm.messages.calls import Adaptation
from megallm.messages.events import Event, MessageDelta, Reply, TextDelta, Usage, plus
from megallm.messages.fold import fold
from megallm.messages.frozen import frozen
from megallm.providers.http import OpenAnswer
from megallm.providers.judging import UNFIT, Fault, Format, held_back, judged
from megallm.providers.openai.client import ChatClient
from megallm.providers.openai.errors import Filtered, refused
from megallm.providers.openai.errors_overflow import Sizes
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.finish_reasons import stop_details
from megallm.providers.openai.reply import events_from_wire, from_wire
from megallm.providers.openai.stream import ReplyStream
from megallm.providers.openai.structured import repair_of
from megallm.providers.openai.wire import Wire
from megallm.providers.whole_replies import events_of

JsonObject = dict[str, object]


@frozen
class Reading:
    """What reading the answers needs: the replies' frames, whole and streamed, and what the request's size is."""

    whole: Expected
    streamed: Expected
    sizes: Sizes


_END_SECONDS = 2.0  # between the finish_reason and the usage behind it


class _FilteredError(Exception):
    """The upstream's content filter refused the prompt: the reply says so, and nothing else."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


class OpenAICall:
    """A translated call. Its state is that of the attempt which is running, or ran last."""

    def __init__(self, client: ChatClient, model: str, wire: Wire, reading: Reading) -> None:
        self._client = client
        self._model = model
        self._wire = wire
        self._reading = reading
        self._spent: Usage | None = None  # by answers that are over
        self._running: ReplyStream | None = None

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What the translation had to change or leave out."""
        return self._wire.adaptations

    @property
    def usage(self) -> Usage | None:
        """The tokens of all that was asked, those of a broken stream as far as it came; None where nothing is known."""
        return plus(self._spent, self._running.usage if self._running is not None else None)

    async def create(self) -> Reply:
        """The whole reply. Raises GatewayError."""
        self._spent = self._running = None
        ask = self._ask_folded if self._wire.ends_early else self._ask_whole
        return await self._judged(await ask(self._wire.body), ask)

    def stream(self) -> AsyncGenerator[Event, None]:
        """The reply as it comes; where only a whole one can be judged, all but its beginning at its end."""
        self._spent = self._running = None
        format_ = self._wire.format
        # Most replies are passed on as they are: a generator around them would cost each event something.
        return self._ask(self._wire.body) if format_ is None else self._stream_judged(format_)

    async def _stream_judged(self, format_: Format) -> AsyncGenerator[Event, None]:
        async with aclosing(self._ask(self._wire.body)) as events:
            if format_.enforced:
                async for event in _checked(events, format_):
                    yield event
            else:
                async with aclosing(held_back(events, self._judged_stream)) as judged_events:
                    async for event in judged_events:
                        yield event

    async def _judged_stream(self, reply: Reply) -> Reply:
        return await self._judged(self._spend(reply), self._ask_folded)

    async def _judged(self, reply: Reply, ask: Callable[[JsonObject], Awaitable[Reply]]) -> Reply:
        """The reply, or the one that came when asked once more. Raises UpstreamFailed (contract C24)."""
        format_ = self._wire.format
        if format_ is None:
            return reply

        async def ask_again(fault: Fault) -> Reply:
            return await ask({**self._wire.body, "messages": repair_of(self._wire.messages, fault)})

        return await judged(reply, format_, ask_again)

    async def _ask_whole(self, body: JsonObject) -> Reply:
        """One unstreamed answer; its usage includes that of answers before it."""
        async with self._client.complete(self._model, body, self._wire.betas) as answer:
            try:
                await self._check(answer)
            except _FilteredError as filtered:
                return self._spend(_refusal(filtered.found))
            return self._spend(from_wire(await answer.read(), self._reading.whole))

    async def _ask_folded(self, body: JsonObject) -> Reply:
        """One streamed answer, whole; its usage includes that of answers before it."""
        async with aclosing(self._ask(body)) as events:
            return self._spend(fold([event async for event in events]))

    async def _ask(self, body: JsonObject) -> AsyncGenerator[Event, None]:
        """The events of one streamed answer."""
        streamed = {**body, **self._wire.stream_body}
        async with self._client.complete(self._model, streamed, self._wire.betas) as answer:
            try:
                await self._check(answer)
            except _FilteredError as filtered:
                for event in events_of(_refusal(filtered.found)):
                    yield event
                return
            if not _is_stream(answer):
                # A server that cannot stream sends the whole; any other such answer is an error, or no answer.
                for event in events_from_wire(await answer.read(), self._reading.whole):
                    yield event
                return
            running = self._running = ReplyStream(self._reading.streamed)
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    for event in running.feed(chunk):
                        yield event
                    if running.done or running.has_ended:
                        break
                for event in await _rest(running, chunks):
                    yield event
            for event in running.finish():
                yield event

    async def _check(self, answer: OpenAnswer) -> None:
        """Raises what a status that is no success means."""
        if 200 <= answer.status < 300:
            return
        body, redact = await answer.read(), self._client.redact
        # In a thread: an error about the context may have the prompt's tokens counted.
        error = await asyncio.to_thread(refused, answer.status, answer.headers, body, self._reading.sizes, redact)
        if isinstance(error, Filtered):
            raise _FilteredError(error.found)
        raise error

    def _spend(self, reply: Reply) -> Reply:
        """Takes the reply's tokens into account, and gives it with all tokens so far."""
        self._running = None
        self._spent = plus(self._spent, reply.usage)
        assert self._spent is not None
        return reply if self._spent is reply.usage else replace(reply, usage=self._spent)


async def _rest(running: ReplyStream, chunks: AsyncGenerator[bytes, None]) -> list[Event]:
    """The events behind the finish_reason: usage at most. What is missing of them takes nothing away (C27, C28).

    A server that leaves the connection open is not waited for, one that breaks it is no failure any more.
    """
    events: list[Event] = []
    with suppress(TimeoutError, UpstreamFailed):
        async with asyncio.timeout(_END_SECONDS):
            while not running.done and (chunk := await anext(chunks, None)) is not None:
                events += running.feed(chunk)
    return events


async def _checked(events: AsyncGenerator[Event, None], format_: Format) -> AsyncGenerator[Event, None]:
    """The events as they come. Raises UpstreamFailed in place of the end of a reply that its schema does not allow."""
    texts: list[str] = []
    async for event in events:
        if isinstance(event, TextDelta):
            texts.append(event.text)
        ends = isinstance(event, MessageDelta) and event.stop_reason == "end_turn"
        if ends and format_.schema.fault("".join(texts)) is not None:
            raise UnfitReply(UNFIT)
        yield event


def _is_stream(answer: OpenAnswer) -> bool:
    kind = answer.headers.get("content-type")
    return kind is None or kind.lower().startswith("text/event-stream")


def _refusal(found: str) -> Reply:
    return Reply((), "refusal", Usage(), stop_details=stop_details("", found))
