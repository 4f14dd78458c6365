"""The estimate of a reply's tokens where the upstream tells none: the same for the stream as for the whole (C31)."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from megallm.messages.events import Usage
from megallm.messages.native.relay import NativeRelay
from megallm.messages.native.reply import native_reply
from megallm.messages.native.written import Written, tokens_of

Json = dict[str, Any]  # Any: JSON of an upstream
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
STOP = {"type": "message_stop"}
SEARCH: Json = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"title": "a page of the web"}]}


def text(*pieces: str) -> list[Json]:
    return [{"type": "text_delta", "text": piece} for piece in pieces]


def thinking(*pieces: str) -> list[Json]:
    return [*({"type": "thinking_delta", "thinking": piece} for piece in pieces), {"type": "signature_delta"}]


def arguments(*pieces: str) -> list[Json]:
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def use(**given: object) -> Json:
    return {"type": "tool_use", "id": "t", "name": "n", "input": given}


# As a block begins, its deltas, and what it is in the whole reply.
BLOCKS: dict[str, Sequence[tuple[Json, list[Json], Json]]] = {
    "nothing": [],
    "text": [({"type": "text", "text": ""}, text("Grü", "ße ", "🎉"), {"type": "text", "text": "Grüße 🎉"})],
    "text that begins at once": [({"type": "text", "text": "Gr"}, text("üße"), {"type": "text", "text": "Grüße"})],
    "thinking": [
        ({"type": "thinking", "thinking": ""}, thinking("h", "m"), {"type": "thinking", "thinking": "hm"}),
        ({"type": "text"}, text("x" * 41), {"type": "text", "text": "x" * 41}),
    ],
    "calls": [
        (use(), arguments("", '{ "city" : ', '"Zürich", "n": 1.0}'), use(city="Zürich", n=1.0)),
        (use(), [], use()),
        (use(), arguments("{}"), use()),
        (use(whole=True), [], use(whole=True)),
    ],
    "a search": [(SEARCH, [], SEARCH), ({"type": "text", "text": ""}, text("x"), {"type": "text", "text": "x"})],
}


def streamed(blocks: Sequence[tuple[Json, list[Json], Json]], usage: Json) -> Usage | None:
    relay = NativeRelay(input_estimate=7)
    events: list[Json] = [{"type": "message_start", "message": usage}]
    for index, (begun, deltas, _) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    for event in (*events, {**END, **usage}, STOP):
        relay.event("", json.dumps(event))
    return relay.usage


@pytest.mark.parametrize("usage", [{}, {"usage": None}, {"usage": []}, {"usage": {"output_tokens": None}}])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_stream_is_estimated_as_the_whole_reply_is(name: str, usage: Json) -> None:
    """Whatever the cuts, the escapes and the white space in it; both figures are what is charged."""
    content = [whole for _, _, whole in BLOCKS[name]]
    body = json.dumps({"content": content, "stop_reason": "end_turn", **usage}).encode()

    assert streamed(BLOCKS[name], usage) == native_reply(body, input_estimate=7).usage


def test_a_token_is_four_bytes_of_what_the_model_wrote() -> None:
    """Text, thinking and the input of calls, each as bytes of UTF-8, and the rest of them a token."""
    content = [{"type": "text", "text": "üü"}, {"type": "thinking", "thinking": "abcd"}, use(a=1), SEARCH]

    assert (tokens_of([]), tokens_of(content)) == (0, 4)


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        (b"{", 0),
        (b"{}", 0),
        (b"[]", 0),
        (b'{"delta":null}', 0),
        (b'{"delta":"text"}', 0),
        (b'{"delta":{"text":null,"thinking":3}}', 0),
        (b'{"delta":{"partial_json":"nonsense"}}', 2),
        (b'{"delta":{"partial_json":"{\\"a\\":\\"cut"}}', 3),
    ],
)
def test_a_delta_that_cannot_be_read_says_nothing(payload: bytes, tokens: int) -> None:
    """It is relayed unread; input that is no JSON counts as it is, input that was cut as what there is of it."""
    written = Written()

    written.begin({"type": "tool_use"})
    written.add(payload)

    assert written.tokens == tokens


def test_a_reply_that_breaks_off_is_estimated_as_far_as_it_came() -> None:
    """The open block too."""
    relay = NativeRelay(input_estimate=7)
    for event in (
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 9}},
    ):
        relay.event("", json.dumps(event))

    assert relay.usage == Usage(7, 3)
