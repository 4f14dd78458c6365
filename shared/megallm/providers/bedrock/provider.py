"""Amazon Bedrock as a provider of the gateway: chooses the path by the route's table, and counts tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from megallm.errors import GatewayError, InvalidRequest, UpstreamMisconfigured
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.messages.signatures import Signer
from megallm.providers.bedrock import counting
from megallm.providers.bedrock.aws import Access
from megallm.providers.bedrock.client import BedrockClient
from megallm.providers.bedrock.converse.call import ConverseCall
from megallm.providers.bedrock.converse.rulings import Rulings
from megallm.providers.bedrock.converse.stream import Expected
from megallm.providers.bedrock.converse.wire import prompt_to_wire, to_wire
from megallm.providers.bedrock.errors import CountingUnknown, InputTooLong
from megallm.providers.bedrock.image_urls import with_images
from megallm.providers.bedrock.invoke.call import InvokeCall
from megallm.providers.bedrock.invoke.wire import count_body, invoke_body
from megallm.providers.bedrock.model_ids import base_model
from megallm.providers.estimates import request_tokens
from megallm.providers.http import Http
from megallm.providers.images import ImageSource


@dataclass(frozen=True, slots=True)
class BedrockSettings:
    """Where Bedrock is; what is None comes from AWS's own chain of settings."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = field(default=None, repr=False)


class BedrockProvider:
    """The models of one account and region. The table's feature ``api`` tells each route's path."""

    def __init__(
        self,
        *,
        name: str,
        settings: BedrockSettings,
        http: Http,
        signer: Callable[[], Awaitable[Signer]],
        new_tool_id: Callable[[], str],
        count_text: Callable[[str], int],
        images: ImageSource | None = None,
    ) -> None:
        self._name = name
        self._client = BedrockClient(http, Access(settings.region, settings.profile, settings.endpoint_url))
        self._signer = signer
        self._new_tool_id = new_tool_id
        self._count_text = count_text
        self._images = images
        self._uncounted: set[str] = set()  # models that CountTokens does not know

    async def prepare(self, call: Call[MessagesRequest]) -> InvokeCall | ConverseCall:
        """Translates. Raises InvalidRequest, naming the field, for what cannot be honoured."""
        call = await with_images(call, self._images)

        async def explain(error: InputTooLong) -> GatewayError:
            return await self._with_numbers(call, error)

        if not _is_converse(call):
            return InvokeCall(self._client, call.upstream_model, invoke_body(call), explain)
        signer = None if call.takes.features.get("native_signatures") is True else await self._signer()
        wire = to_wire(call, self._replays(call.upstream_model, signer))
        expected = Expected(
            new_tool_id=self._new_tool_id,
            sign=None if signer is None else partial(signer.sign, self._route(call.upstream_model)),
            tool_names=wire.tool_names,
            stop_sequences=wire.stop_sequences,
            output_tool=wire.output_tool,
            space=wire.space,
            input_estimate=wire.estimated_tokens,
        )
        return ConverseCall(self._client, call.upstream_model, wire, expected, self._count_text, explain)

    async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
        """As Bedrock counts, where it does for this model; else an estimate by the texts' tokens."""
        call = await with_images(call, self._images)
        question = await self._question(call)
        model = base_model(call.upstream_model)
        if model is not None and model not in self._uncounted:
            try:
                return counting.answer(await self._client.post(model, "count-tokens", question))
            except CountingUnknown:
                self._uncounted.add(model)
            except (InvalidRequest, UpstreamMisconfigured):
                pass  # what the model itself takes may still be more than what its counter does
        return await self._estimate(call.request)

    async def aclose(self) -> None:
        """Nothing is this provider's own: the connections are the process's."""

    async def _question(self, call: Call[TokenCountRequest]) -> bytes:
        if not _is_converse(call):
            return counting.invoke_question(count_body(call))
        native = call.takes.features.get("native_signatures") is True
        replays = self._replays(call.upstream_model, None if native else await self._signer())
        prompt = prompt_to_wire(call, Rulings(call.takes, call.upstream_model), replays)
        return counting.converse_question(prompt.body)

    async def _estimate(self, request: TokenCountRequest) -> int:
        return await asyncio.to_thread(request_tokens, request, self._count_text)

    async def _with_numbers(self, call: Call[MessagesRequest], error: InputTooLong) -> GatewayError:
        """The overflow in the words that clients look for, with our count of the tokens (C33)."""
        if call.context_tokens is None:
            return error
        try:
            tokens = await self.count_tokens(call)
        except GatewayError:
            tokens = await self._estimate(call.request)
        tokens = max(tokens, call.context_tokens + 1)  # an estimate may fall short of what the upstream found
        return InvalidRequest(f"prompt is too long: {tokens} tokens > {call.context_tokens} maximum", param="messages")

    def _route(self, model: str) -> str:
        return f"{self._name}/{model}"

    def _replays(self, model: str, signer: Signer | None) -> Callable[[str, str], bool]:
        route = self._route(model)

        def replays(signature: str, thinking: str) -> bool:
            return signer is not None and signer.route_of(signature, thinking) == route

        return replays


def _is_converse(call: Call[TokenCountRequest]) -> bool:
    return call.takes.features.get("api") == "converse"
