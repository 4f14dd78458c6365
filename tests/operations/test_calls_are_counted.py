"""What the ledger gets of calls, whole ones and streams."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from megallm.catalog.file_format import parse
from megallm.catalog.models import Catalog
from megallm.errors import UpstreamFailed, UpstreamOverloaded
from megallm.keys import Caller
from megallm.limits.ledger import Used
from megallm.messages.requests import MessagesRequest
from megallm.operations.create_message import create_message
from megallm.operations.route_call import Sender
from megallm.operations.stream_message import stream_message
from megallm.operations.trace import Trace
from tests.fakes import CATALOG, RecordingLimiter, ScriptedProvider, Step, gateway, text_reply

CALLER = Caller("abcdefgh", "basic")
REQUEST = MessagesRequest.model_validate(
    {"model": "claude-test", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
)
COUNTED = Used(requests=1, input_tokens=7, output_tokens=3)


def counted(script: Sequence[Step], catalog: Catalog, *, stream: bool) -> list[Used | None]:
    """Of one call by that script."""
    limiter = RecordingLimiter()
    composed = replace(gateway(ScriptedProvider(list(script)), limiter=limiter), catalog=catalog)

    async def whole() -> None:
        await create_message(composed, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}")

    async def streamed() -> None:
        answer = await stream_message(composed, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}")
        _ = [piece async for piece in answer.frames]
        await answer.aclose()

    with suppress(UpstreamOverloaded, UpstreamFailed):
        asyncio.run(streamed() if stream else whole())
    return limiter.counted


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_costs_what_the_catalogue_says(stream: bool) -> None:
    """And nothing is said where it has no price."""
    priced = parse(CATALOG.replace("[defaults]", "[defaults]\nprices = { input = 2, output = 10.5 }"), source="tests")
    free = parse(CATALOG, source="tests")

    assert counted(text_reply("a"), priced, stream=stream) == [replace(COUNTED, nanodollars=14_000 + 31_500)]
    assert counted(text_reply("a"), free, stream=stream) == [COUNTED]


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_call_is_not_counted_and_one_that_broke_off_is(stream: bool) -> None:
    """With what it had used until then."""
    catalog = parse(CATALOG, source="tests")
    broken = [*text_reply("a")[:-1], UpstreamFailed("")]

    assert counted([UpstreamOverloaded("")], catalog, stream=stream) == [None]
    assert counted(broken, catalog, stream=stream) == [COUNTED]
