"""One call of InvokeModel: sends it, whole or as a stream, and relays the reply; reads it where it is to be judged."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from megallm.errors import UpstreamFailed
from megallm.messages.calls import Adaptation
from megallm.messages.events import Event, Reply, StreamEvent, Usage, plus
from megallm.messages.native.relay import NativeRelay
from megallm.messages.native.reply import native_reply
from megallm.providers.bedrock.aws import Frames
from megallm.providers.bedrock.client import BedrockClient
from megallm.providers.bedrock.errors import Explain, InputTooLong
from megallm.providers.bedrock.invoke.reading import ReadReply
from megallm.providers.bedrock.invoke.stream import InvokeStream, without_amazons
from megallm.providers.bedrock.invoke.wire import InvokeWire, repair_body
from megallm.providers.judging import Fault, held_back, judged


class InvokeCall:
    """A call whose body is ready. Its state is that of the attempt which is running, or ran last."""

    def __init__(self, client: BedrockClient, model: str, wire: InvokeWire, explain: Explain) -> None:
        self._client = client
        self._model = model
        self._wire = wire
        self._explain = explain
        self._relay: NativeRelay | None = None
        self._spent: Usage | None = None  # by answers that came whole

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What was changed or left out."""
        return self._wire.adaptations

    @property
    def usage(self) -> Usage | None:
        """What Bedrock told so far."""
        return plus(self._spent, None if self._relay is None else self._relay.usage)

    async def create(self) -> Reply:
        """The whole reply. Raises GatewayError; cancelling it ends the upstream call."""
        self._relay = self._spent = None
        return await self._judged(await self._ask(self._wire.body))

    def stream(self) -> AsyncGenerator[StreamEvent, None]:
        """The reply as it comes; of one that is to be judged the beginning and the thinking, the rest at its end.

        Raises GatewayError in place of the events that never came.
        """
        self._relay = self._spent = None
        # Most replies are passed on as they are: a generator around them would cost each event something.
        return self._relayed() if self._wire.format is None else self._held_back()

    async def _held_back(self) -> AsyncGenerator[StreamEvent, None]:
        async with aclosing(held_back(self._read(), self._judge)) as events:
            async for event in events:
                yield event

    async def _read(self) -> AsyncGenerator[Event, None]:
        reply = ReadReply()
        async with aclosing(self._relayed()) as events:
            async for event in events:
                for read in reply.feed(event):
                    yield read

    async def _judge(self, reply: Reply) -> Reply:
        return await self._judged(self._spend(reply))

    async def _judged(self, reply: Reply) -> Reply:
        """The reply, or the one that came when asked once more. Raises UpstreamFailed (contract C24)."""
        return reply if self._wire.format is None else await judged(reply, self._wire.format, self._ask_again)

    async def _relayed(self) -> AsyncGenerator[StreamEvent, None]:
        """The events of one streamed answer."""
        try:
            frames = Frames()
            async with self._client.open(self._model, "invoke-with-response-stream", self._wire.body) as answer:
                relay = self._relay = NativeRelay(
                    input_estimate=self._wire.estimated_tokens, stop_sequences=self._wire.stop_sequences
                )
                reply = InvokeStream(relay)
                async for chunk in answer.chunks():
                    for frame in frames.feed(chunk):
                        for event in reply.feed(frame):
                            yield event
                    if relay.done:
                        return
                frames.finish()
                relay.finish()
        except InputTooLong as error:
            raise await self._explain(error) from error

    async def _ask_again(self, fault: Fault) -> Reply:
        return await self._ask(repair_body(self._wire.body, fault))

    async def _ask(self, body: bytes) -> Reply:
        """One whole answer; its usage includes that of answers before it."""
        try:
            answer = await self._client.post(self._model, "invoke", body)
        except InputTooLong as error:
            raise await self._explain(error) from error
        try:
            answer = without_amazons(answer) if b'"amazon-bedrock-' in answer else answer
        except ValueError as error:
            raise UpstreamFailed("The upstream's answer is not valid JSON") from error
        wire = self._wire
        reply = native_reply(answer, stop_sequences=wire.stop_sequences, input_estimate=wire.estimated_tokens)
        return self._spend(reply)

    def _spend(self, reply: Reply) -> Reply:
        """Takes the reply's tokens into account, and gives it with all tokens so far."""
        self._relay = None
        usage = self._spent = plus(self._spent, reply.usage)
        assert usage is not None
        return replace(reply, usage=usage)
