"""One call of Converse: sends it, whole or as a stream, and reads the reply."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.messages.calls import Adaptation
from megallm.messages.events import Event, Reply, Usage
from megallm.messages.fold import fold
from megallm.providers.bedrock.aws import Frame, Frames
from megallm.providers.bedrock.client import BedrockClient
from megallm.providers.bedrock.converse.stream import ConverseStream, Expected, from_wire
from megallm.providers.bedrock.converse.wire import ConverseWire
from megallm.providers.bedrock.errors import Explain, InputTooLong, stream_error


class ConverseCall:
    """A translated call. Until Bedrock tells, which it does last of all, ``usage`` is an estimate."""

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
        self._usage: Usage | None = None

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What was changed or left out."""
        return self._wire.adaptations

    @property
    def usage(self) -> Usage | None:
        """What Bedrock told; of a stream that was broken off, what came of it."""
        if self._reply is None:
            return self._usage
        return self._reply.usage or self._estimate(self._reply)

    async def create(self) -> Reply:
        """The whole reply. Raises GatewayError; cancelling it ends the upstream call."""
        if self._wire.needs_stream:
            async with aclosing(self.stream()) as events:
                return fold([event async for event in events])
        self._reply = None
        try:
            answer = await self._client.post(self._model, "converse", self._wire.body)
        except InputTooLong as error:
            raise await self._explain(error) from error
        reply = from_wire(_object(answer), self._expected)
        self._usage = reply.usage
        return reply

    async def stream(self) -> AsyncGenerator[Event, None]:
        """The reply as it comes. Raises GatewayError in place of the events that never came."""
        try:
            frames = Frames()
            async with self._client.open(self._model, "converse-stream", self._wire.body) as answer:
                reply = self._reply = ConverseStream(self._expected)
                async for chunk in answer.chunks():
                    for frame in frames.feed(chunk):
                        for event in _read(reply, frame):
                            yield event
                    if reply.done:
                        break
                else:
                    frames.finish()
                for event in reply.finish(self._estimate(reply)):
                    yield event
        except InputTooLong as error:
            raise await self._explain(error) from error

    def _estimate(self, reply: ConverseStream) -> Usage:
        written = "".join(reply.written)
        return Usage(self._wire.estimated_tokens, self._count_text(written) if written else 0)


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
