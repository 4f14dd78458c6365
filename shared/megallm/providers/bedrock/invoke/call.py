"""One call of InvokeModel: sends it, whole or as a stream, and relays the reply."""

from collections.abc import AsyncGenerator

from megallm.errors import UpstreamFailed
from megallm.messages.calls import Adaptation
from megallm.messages.events import Reply, StreamEvent, Usage
from megallm.messages.native.relay import NativeRelay
from megallm.messages.native.reply import native_reply
from megallm.providers.bedrock.aws import Frames
from megallm.providers.bedrock.client import BedrockClient
from megallm.providers.bedrock.errors import Explain, InputTooLong
from megallm.providers.bedrock.invoke.stream import InvokeStream, without_amazons
from megallm.providers.bedrock.invoke.wire import InvokeWire


class InvokeCall:
    """A call whose body is ready."""

    def __init__(self, client: BedrockClient, model: str, wire: InvokeWire, explain: Explain) -> None:
        self._client = client
        self._model = model
        self._wire = wire
        self._explain = explain
        self._relay: NativeRelay | None = None
        self._usage: Usage | None = None

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What was changed or left out."""
        return self._wire.adaptations

    @property
    def usage(self) -> Usage | None:
        """What Bedrock told so far."""
        return self._usage if self._relay is None else self._relay.usage

    async def create(self) -> Reply:
        """The whole reply. Raises GatewayError; cancelling it ends the upstream call."""
        self._relay = None
        try:
            answer = await self._client.post(self._model, "invoke", self._wire.body)
        except InputTooLong as error:
            raise await self._explain(error) from error
        try:
            reply = native_reply(without_amazons(answer) if b'"amazon-bedrock-' in answer else answer)
        except ValueError as error:
            raise UpstreamFailed("The upstream's answer is not valid JSON") from error
        self._usage = reply.usage
        return reply

    async def stream(self) -> AsyncGenerator[StreamEvent, None]:
        """The reply as it comes. Raises GatewayError in place of the events that never came."""
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
