"""Anthropic's API, or a server that speaks it, as a provider of the gateway: what passes, passes as it is."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from megallm.errors import UpstreamError, UpstreamFailed
from megallm.messages.caller_headers import take_headers
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import Reply, StreamEvent, Usage
from megallm.messages.native.body import NativeBody, native_body
from megallm.messages.native.relay import NativeRelay
from megallm.messages.native.repeated_prefill import FEATURE, without_prefill
from megallm.messages.native.reply import native_reply
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.messages.sse import SseDecoder
from megallm.providers.anthropic.answers import counted
from megallm.providers.anthropic.client import AnthropicClient, AnthropicSettings
from megallm.providers.estimates import body_bytes, request_tokens
from megallm.providers.http import Http, OpenAnswer
from megallm.providers.secrets import ApiKey

__all__ = ["AnthropicProvider", "AnthropicSettings"]

_MESSAGES = "/v1/messages"
# The older version takes all that the newer one does, and temperature, top_p, top_k, documents in assistant messages
# and citations in user text besides; replies are the same in both. So both kinds of client are served by it (C02).
# Source: https://platform.claude.com/docs/en/api/migration-2026-10-21
_VERSION = "2023-06-01"
# What MessageCreateParams has and MessageCountTokensParams has not (package anthropic 2.12): count_tokens refuses them.
_NOT_COUNTED = (
    "container",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
)
_NO_COUNTER = (404, 405, 501)
_END_SECONDS = 0.5  # for the end of a body whose last event was there


class AnthropicProvider:
    """One server of the Messages API. *http* is shared, and closed by whoever made it."""

    def __init__(
        self,
        *,
        name: str,
        settings: AnthropicSettings,
        http: Http,
        api_key: ApiKey | None,
        count_text: Callable[[str], int],
    ) -> None:
        self.name = name
        self._client = AnthropicClient(settings, http, api_key)
        self._count_text = count_text

    async def prepare(self, call: Call[MessagesRequest]) -> "AnthropicCall":
        """Adapts the body to the route's table. Raises InvalidRequest for what that refuses."""
        return AnthropicCall(self._client, call)

    async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
        """As the upstream counts; an estimate where it has no such route, as some that speak this API have not."""
        wire = native_body(call, model=call.upstream_model, without=_NOT_COUNTED)
        headers, _ = take_headers(call, of_the_operator=self._client.of_the_operator)
        path, version = f"{_MESSAGES}/count_tokens", _version(call)
        try:
            async with self._client.open(path, wire, version=version, headers=headers) as answer:
                return counted(await answer.read())
        except UpstreamError as error:
            if error.upstream_status not in _NO_COUNTER:
                raise
        return await asyncio.to_thread(request_tokens, call.request, self._count_text)

    async def aclose(self) -> None:
        """Nothing runs but what callers hold open themselves."""


class AnthropicCall:
    """A call that only has to be sent."""

    def __init__(self, client: AnthropicClient, call: Call[MessagesRequest]) -> None:
        self._client = client
        self._call = call
        self._wire = native_body(call, model=call.upstream_model)
        self._headers, self._told = take_headers(call, of_the_operator=client.of_the_operator)
        self._relay: NativeRelay | None = None
        self._usage: Usage | None = None

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What the table of the route changed."""
        return self._wire.adaptations + self._told

    @property
    def usage(self) -> Usage | None:
        """The upstream's own figures; of a stream that broke off, its input and a guess at its output."""
        return self._relay.usage if self._relay is not None else self._usage

    async def create(self) -> Reply:
        """The whole reply as the upstream sends it."""
        self._relay = self._usage = None
        wire, version = self._body(stream=False), _version(self._call)
        async with self._client.open(_MESSAGES, wire, version=version, headers=self._headers) as answer:
            reply = native_reply(
                await answer.read(),
                stop_sequences=self._stop_sequences,
                input_estimate=self._input_estimate(),
                redact=self._client.redact,
            )
        self._usage = reply.usage
        if self._call.takes.features.get(FEATURE) is True:
            return without_prefill(reply, self._call.request.messages)
        return reply

    async def stream(self) -> AsyncGenerator[StreamEvent, None]:
        """The upstream's events. Closing the generator ends the upstream call."""
        wire = self._body(stream=True)
        self._relay = relay = NativeRelay(
            input_estimate=self._input_estimate(),
            stop_sequences=self._stop_sequences,
            redact=self._client.redact,
        )
        decoder = SseDecoder()
        version = _version(self._call)
        async with self._client.open(
            _MESSAGES, wire, version=version, accept="text/event-stream", headers=self._headers
        ) as answer:
            async for chunk in answer.chunks():
                for event in decoder.feed(chunk):
                    for relayed in relay.event(event.event, event.data):
                        yield relayed
                if relay.done:
                    await _read_to_the_end(answer)
                    return
        for event in decoder.finish():
            for relayed in relay.event(event.event, event.data):
                yield relayed
        relay.finish()

    @property
    def _stop_sequences(self) -> list[str]:
        return self._call.request.stop_sequences or []

    def _input_estimate(self) -> int:
        """A quarter of the body's bytes, which is the same whether the reply is streamed or not."""
        return body_bytes(self._call.request, self._wire.body) // 4

    def _body(self, *, stream: bool) -> NativeBody:
        """The body as it came says ``stream`` itself; a batch's items may not."""
        if self._call.request.stream == stream:
            return self._wire
        return native_body(self._call, model=self._call.upstream_model, extra={"stream": stream})


async def _read_to_the_end(answer: OpenAnswer) -> None:
    """So that the connection can be used again; an upstream that goes on, or breaks now, is left behind."""
    with suppress(TimeoutError, UpstreamFailed):
        async with asyncio.timeout(_END_SECONDS):
            await answer.read()


def _version(call: Call[TokenCountRequest]) -> str:
    return str(call.takes.features.get("anthropic_version", _VERSION))
