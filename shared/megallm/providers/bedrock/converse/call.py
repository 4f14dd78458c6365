"""One call of Converse: sends it, whole or as a stream, and reads the reply."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.messages.calls import Adaptation
from megallm.messages.events import Event, Reply, Usage, plus
from megallm.messages.fold import fold
from megallm.providers.bedrock.aws import Frame, Frames
from megallm.providers.bedrock.client import BedrockClient
from megallm.providers.bedrock.converse.stream import ConverseStream, Expected, from_wire
from megallm.providers.bedrock.converse.wire import ConverseWire, repair_body
from megallm.providers.bedrock.errors import Explain, InputTooLong, stream_error
from megallm.providers.judging import Fault, held_back, judged

_BYTES_A_TOKEN = 4  # about what English text has


class ConverseCall:
    """A translated call. Until Bedrock tells, which it does last of all, ``usage`` is a guess.

    A reply that ends by our doing, before that, has its tokens counted.
    """

    def __init__(
        self,
        client: BedrockClient,
        model: str,
        wire: ConverseWire,
        expected: Expected,
        count_text: Callable[[str], int],
        explain: Explain,
    ) -> None:
        self._client = client
        self._model = model
        self._wire = wire
        self._expected = expected
        self._count_text = count_text
        self._explain = explain
        self._reply: ConverseStream | None = None
        self._spent: Usage | None = None  # by answers that are over

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What was changed or left out."""
        return self._wire.adaptations

    @property
    def usage(self) -> Usage | None:
        """What Bedrock told; of a stream that was broken off, what came of it, at four bytes a token."""
        running = None if self._reply is None else self._reply.usage or self._guess(self._reply)
        return plus(self._spent, running)

    async def create(self) -> Reply:
        """The whole reply. Raises GatewayError; cancelling it ends the upstream call."""
        self._spent = self._reply = None
        return await self._judged(await self._ask(self._wire.body))

    async def stream(self) -> AsyncGenerator[Event, None]:
        """The reply as it comes; one that is to be judged only begins so, and comes whole at its end.

        Raises GatewayError in place of the events that never came.
        """
        self._spent = self._reply = None
        events = self._events(self._wire.body)
        if self._wire.format is not None:
            events = held_back(events, self._judge)
        async with aclosing(events):
            async for event in events:
                yield event

    async def _judge(self, reply: Reply) -> Reply:
        return await self._judged(self._spend(reply))

    async def _judged(self, reply: Reply) -> Reply:
        """The reply, or the one that came when asked once more. Raises UpstreamFailed (contract C24)."""
        return reply if self._wire.format is None else await judged(reply, self._wire.format, self._ask_again)

    async def _ask_again(self, fault: Fault) -> Reply:
        return await self._ask(repair_body(self._wire.body, fault))

    async def _ask(self, body: bytes) -> Reply:
        """One whole answer; its usage includes that of answers before it."""
        if self._wire.needs_stream:
            async with aclosing(self._events(body)) as events:
                return self._spend(fold([event async for event in events]))
        try:
            answer = await self._client.post(self._model, "converse", body)
        except InputTooLong as error:
            raise await self._explain(error) from error
        return self._spend(from_wire(_object(answer), self._expected))

    async def _events(self, body: bytes) -> AsyncGenerator[Event, None]:
        """The events of one streamed answer."""
        try:
            frames = Frames()
            async with self._client.open(self._model, "converse-stream", body) as answer:
                reply = self._reply = ConverseStream(self._expected)
                async for chunk in answer.chunks():
                    for frame in frames.feed(chunk):
                        for event in _read(reply, frame):
                            yield event
                    if reply.done:
                        break
                else:
                    frames.finish()
                if reply.usage is None:
                    reply.usage = await self._estimate(reply)
                for event in reply.finish(reply.usage):
                    yield event
        except InputTooLong as error:
            raise await self._explain(error) from error

    def _spend(self, reply: Reply) -> Reply:
        """Takes the reply's tokens into account, and gives it with all tokens so far."""
        self._reply = None
        usage = self._spent = plus(self._spent, reply.usage)
        assert usage is not None
        return replace(reply, usage=usage)

    async def _estimate(self, reply: ConverseStream) -> Usage:
        """In a thread: the first count of a process reads a vocabulary, which takes most of a second."""
        written = "".join(reply.written)
        tokens = await asyncio.to_thread(self._count_text, written) if written else 0
        return Usage(self._wire.estimated_tokens, tokens)

    def _guess(self, reply: ConverseStream) -> Usage:
        written = sum(len(piece.encode(errors="replace")) for piece in reply.written)
        return Usage(self._wire.estimated_tokens, -(-written // _BYTES_A_TOKEN))


def _read(reply: ConverseStream, frame: Frame) -> list[Event]:
    if frame.kind != "event":
        raise stream_error(frame.name, frame.payload)
    return reply.feed(frame.name, _object(frame.payload))


def _object(text: bytes) -> dict[str, object]:
    try:
        value = from_json(text)
    except ValueError as error:
        raise UpstreamFailed("The upstream's answer is not valid JSON") from error
    if not isinstance(value, dict):
        raise UpstreamFailed("The upstream's answer is no message")
    return value
