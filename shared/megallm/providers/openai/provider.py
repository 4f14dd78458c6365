"""Any chat-completions server as a provider of the gateway: joins translation, HTTP and the reading of replies."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from megallm.errors import UpstreamMisconfigured
from megallm.messages.calls import Call
from megallm.messages.compatibility import Takes
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.messages.signatures import Signer
from megallm.providers.estimates import MOST_IMAGE_TOKENS, body_bytes
from megallm.providers.http import Http
from megallm.providers.images import ImageSource
from megallm.providers.openai.blocks_images import fetch_images
from megallm.providers.openai.client import ChatClient, OpenAISettings
from megallm.providers.openai.count import counted, estimate, tokenizer_body
from megallm.providers.openai.dialect import Dialect, dialect_of
from megallm.providers.openai.errors import Filtered, refused
from megallm.providers.openai.errors_overflow import Sizes
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.provider_call import OpenAICall, Reading
from megallm.providers.openai.wire import Wire, input_to_wire, to_wire
from megallm.providers.secrets import ApiKey

__all__ = ["OpenAIProvider", "OpenAISettings"]

# What servers that have no tokenizer under the path answer.
_NO_TOKENIZER = frozenset({404, 405, 501})


class OpenAIProvider:
    """One server, or one account with it. ``name`` is the first half of the routes that thinking is signed with."""

    def __init__(
        self,
        *,
        name: str,
        settings: OpenAISettings,
        http: Http,
        api_key: ApiKey | None,
        signer: Callable[[], Awaitable[Signer]],
        new_tool_id: Callable[[], str],
        images: ImageSource | None = None,
        count_text: Callable[[str], int],
    ) -> None:
        self._name = name
        self._client = ChatClient(settings, http, api_key)
        self._tokenize_path = settings.tokenize_path
        self._signer = signer
        self._new_tool_id = new_tool_id
        self._images = images
        self._count_text = count_text
        self._dialects: dict[int, tuple[Takes, Dialect]] = {}  # by the identity of the routes' tables

    async def prepare(self, call: Call[MessagesRequest]) -> OpenAICall:
        """Translates. Raises InvalidRequest, naming the field, for what this server cannot be told."""
        dialect = self._dialect(call.takes)
        signer = await self._signer()
        images = await fetch_images(call.request.messages, call.takes, self._images)
        route = f"{self._name}/{call.upstream_model}"
        wire = to_wire(call, dialect, route=route, route_of=signer.route_of, images=images)
        whole = Expected(
            route=route,
            sign=signer.sign,
            new_tool_id=self._new_tool_id,
            tool_names=wire.tool_names,
            stop_sequences=wire.stop_sequences,
            input_estimate=_quick_estimate(call, wire),
            # A model that was told how to begin may repeat it; llama.cpp does in replies that are not streamed.
            prefill=wire.prefill if dialect.prefill in ("", "trailing") else "",
            redact=self._client.redact,
        )
        streamed = replace(whole, prefill="") if whole.prefill and dialect.prefill else whole
        sizes = Sizes(
            prompt=lambda: estimate(wire.body, self._count_text),
            max_tokens=min(call.request.max_tokens, call.max_output_tokens or call.request.max_tokens),
            context=call.context_tokens,
        )
        return OpenAICall(self._client, call.upstream_model, wire, Reading(whole, streamed, sizes))

    async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
        """Exact where the server has a tokenizer for chats and all is text; else an estimate. Raises GatewayError."""
        made, media = input_to_wire(call, self._dialect(call.takes))
        if self._tokenize_path is not None and media.count == 0:
            body = tokenizer_body(call.upstream_model, made.body)
            async with self._client.tokenize(self._tokenize_path, body) as answer:
                content = await answer.read()
            if 200 <= answer.status < 300:
                return counted(content)
            if answer.status not in _NO_TOKENIZER:
                sizes = Sizes(prompt=lambda: estimate(made.body, self._count_text), max_tokens=0, context=None)
                error = refused(answer.status, answer.headers, content, sizes, self._client.redact)
                if not isinstance(error, Filtered):
                    raise error
        # In a thread: megabytes of text take a while.
        return await asyncio.to_thread(estimate, made.body, self._count_text)

    async def aclose(self) -> None:
        """Nothing is this provider's own: the connections are the process's."""

    def _dialect(self, takes: Takes) -> Dialect:
        """Read once of each table: a request need not validate it again."""
        known = self._dialects.get(id(takes))
        if known is not None and known[0] is takes:
            return known[1]
        try:
            dialect = dialect_of(takes.features)
        except ValueError as error:
            raise UpstreamMisconfigured("The gateway's table of what this model takes is wrong") from error
        self._dialects[id(takes)] = takes, dialect
        return dialect


def _quick_estimate(call: Call[MessagesRequest], wire: Wire) -> int:
    """What message_start says of the input: a quarter of the text's bytes, and images as if they were large."""
    text_bytes = max(0, body_bytes(call.request, call.body) - wire.media.letters)
    return max(1, text_bytes // 4 + MOST_IMAGE_TOKENS * wire.media.count)
