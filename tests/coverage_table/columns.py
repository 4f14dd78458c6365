"""The columns: what each kind of upstream makes of a request, asked of the real providers, none of which is called."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from pydantic_core import to_json

from megallm.catalog.compatibility import shipped
from megallm.catalog.upstreams import AnthropicUpstream, BedrockUpstream, OpenAIUpstream
from megallm.composition.workshop import Workshop
from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.compatibility import EVERYTHING, Takes
from megallm.messages.requests import MessagesRequest, parse
from megallm.operations.check_request import check_request
from megallm.operations.ports import Provider
from megallm.operations.route_call import Sender
from megallm.providers.embedded.wire import to_wire
from megallm.settings import Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.secrets import Secrets
from tests.coverage_table.rows import Row
from tests.fakes import gateway

Adaptations = tuple[Adaptation, ...]

CONTEXT_TOKENS, MAX_OUTPUT_TOKENS = 200_000, 64_000


@dataclass(frozen=True, slots=True)
class Column:
    """A kind of upstream with the compatibility table that ships for it, and its translation."""

    name: str
    takes: Takes
    model: str
    translate: Callable[[Call[MessagesRequest]], Awaitable[Adaptations]]


def columns() -> list[Column]:
    """All kinds, as the composition root makes them: with no image fetched and no setting but the defaults."""
    workshop = Workshop(Settings(), Secrets(AwsTarget(), {"KEY": "never used"}))
    native = workshop.maker("anthropic", AnthropicUpstream(api_key="env:KEY"))()
    bedrock = workshop.maker("bedrock", BedrockUpstream(region="eu-west-1"))()
    chat = workshop.maker("openai", OpenAIUpstream(api_key="env:KEY"))()
    return [
        Column("anthropic", shipped("anthropic"), "claude-sonnet-5", _by(native)),
        Column("bedrock", shipped("bedrock"), "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", _by(bedrock)),
        Column("converse", shipped("converse"), "amazon.nova-pro-v1:0", _by(bedrock)),
        *(
            Column(table, shipped(table), "model", _by(chat))
            for table in ("openai", "azure", "vllm", "llama.cpp", "ollama", "deepseek", "litellm")
        ),
        Column("embedded", EVERYTHING, "embedded", _embedded),
    ]


def outcomes(rows: Iterable[Row]) -> list[tuple[Row, list[str]]]:
    """Each row, with a cell a column."""

    async def ask_all() -> list[tuple[Row, list[str]]]:
        asked = columns()
        return [(row, [await _cell(column, row) for column in asked]) for row in rows]

    return asyncio.run(ask_all())


async def _cell(column: Column, row: Row) -> str:
    body = to_json(row.request)
    sender = Sender("2023-06-01", row.betas)
    try:
        request = parse(body, MessagesRequest)
        check_request(gateway(), request, sender)
        adaptations = await column.translate(
            Call(
                request,
                column.model,
                sender.betas,
                body,
                sender.version,
                column.takes,
                CONTEXT_TOKENS,
                MAX_OUTPUT_TOKENS,
            )
        )
    except InvalidRequest as refusal:
        return "refused" if refusal.param is not None else "refused without a name"
    changes = dict.fromkeys(adaptation.change for adaptation in adaptations)
    return f"adapted: {', '.join(changes)}" if changes else "native"


def _by(provider: Provider) -> Callable[[Call[MessagesRequest]], Awaitable[Adaptations]]:
    async def translate(call: Call[MessagesRequest]) -> Adaptations:
        return (await provider.prepare(call)).adaptations

    return translate


async def _embedded(call: Call[MessagesRequest]) -> Adaptations:
    return to_wire(call).adaptations
