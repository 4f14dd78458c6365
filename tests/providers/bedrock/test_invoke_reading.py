"""Relayed events of a reply as they are read where it is to be judged."""

from collections.abc import Mapping

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    MessageStop,
    Relayed,
    SignatureDelta,
    ThinkingDelta,
)
from megallm.messages.sse import frame
from megallm.providers.bedrock.invoke.reading import ReadReply
from megallm.providers.whole_replies import block_events

Payload = Mapping[str, object]


def start(block: Payload, index: int = 0) -> Payload:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind: str, **members: object) -> Payload:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **members}}


STOP: Payload = {"type": "content_block_stop", "index": 0}


def read(*payloads: Payload) -> list[list[Event]]:
    """What becomes of each of them."""
    reply = ReadReply()
    return [reply.feed(Relayed(frame(payload))) for payload in payloads]


def test_thinking_is_read_as_it_comes() -> None:
    """Piece by piece, and its signature."""
    block = {"type": "thinking", "thinking": "", "signature": ""}
    pieces = (delta("thinking_delta", thinking="h"), delta("thinking_delta", thinking="m"))

    assert read(start(block), *pieces, delta("signature_delta", signature="s"), STOP) == [
        [BlockStart(0, block)],
        [ThinkingDelta(0, "h")],
        [ThinkingDelta(0, "m")],
        [SignatureDelta(0, "s")],
        [BlockStop(0)],
    ]


@pytest.mark.parametrize(
    ("begun", "deltas", "whole"),
    [
        (
            {"type": "text", "text": ""},
            [delta("text_delta", text="a"), delta("text_delta", text="b")],
            {"type": "text", "text": "ab"},
        ),
        (
            {"type": "text", "text": "", "citations": None},
            [delta("citations_delta", citation={"n": n}) for n in (1, 2)],
            {"type": "text", "text": "", "citations": [{"n": 1}, {"n": 2}]},
        ),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            [delta("input_json_delta", partial_json=part) for part in ('{"x"', ": [1]}")],
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": [1]}},
        ),
        (
            {"type": "server_tool_use", "id": "t", "name": "f", "input": {}},
            [delta("input_json_delta", partial_json='{"x": 1, "y')],  # max_tokens
            {"type": "server_tool_use", "id": "t", "name": "f", "input": {"x": 1}},
        ),
        ({"type": "tool_use", "id": "t", "name": "f", "input": {}}, [], None),
        ({"type": "redacted_thinking", "data": "x"}, [], None),
        (
            {"type": "compaction", "content": None},
            [delta("compaction_delta", content="c", encrypted_content="e")],
            {"type": "compaction", "content": "c", "encrypted_content": "e"},
        ),
    ],
)
def test_every_other_block_is_read_whole(begun: Payload, deltas: list[Payload], whole: Payload | None) -> None:
    """At its end, whatever its deltas are."""
    nothing: list[list[Event]] = [[] for _ in range(1 + len(deltas))]

    assert read(start(begun), *deltas, STOP) == [*nothing, [*block_events(0, whole or begun), BlockStop(0)]]


def test_what_is_no_part_of_the_reply_is_not_read() -> None:
    """Pings are the gateway's own; what was read before stays as it is."""
    assert read({"type": "ping"}, {"type": "news"}) == [[], []]
    assert ReadReply().feed(MessageStop()) == [MessageStop()]


@pytest.mark.parametrize(
    "payloads",
    [
        [start({"type": "text", "text": ""}), {"type": "content_block_delta", "index": 0, "delta": "a"}],
        [start({"type": "tool_use", "input": {}}), delta("input_json_delta", partial_json='{"a": nope}'), STOP],
    ],
)
def test_what_cannot_be_read_is_the_upstreams_failure(payloads: list[Payload]) -> None:
    """Not ours, and no broken block."""
    with pytest.raises(UpstreamFailed):
        read(*payloads)
