"""Streams through each SDK: the events, what the SDK folds from them, and when they come."""

from tests.contract.conftest import Connect, Serve
from tests.contract.samples import (
    HELLO,
    TOOL,
    interleaved_content,
    interleaved_tool_calls,
    started_usage_on_wire,
    usage_on_wire,
)
from tests.contract.server import WatchedProvider
from tests.fakes import Pause, text_reply


def test_the_sdk_sees_every_event_in_order(connect: Connect, serve: Serve) -> None:
    """C25: from message_start with empty content and its input tokens to message_stop, indices without a gap."""
    server = serve(WatchedProvider(text_reply("Hello", ", world")))

    events = connect(server).events(**HELLO)

    message_id = events[0]["message"].pop("id")
    assert message_id.startswith("msg_")
    assert events == [
        {
            "type": "message_start",
            "message": {
                "type": "message",
                "role": "assistant",
                "model": "claude-test",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": started_usage_on_wire(7),
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ", world"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": usage_on_wire(7, 3),
        },
        {"type": "message_stop"},
    ]


def test_the_sdk_folds_a_stream_into_the_message_that_comes_unstreamed(connect: Connect, serve: Serve) -> None:
    """C26, C31: thinking, text, interleaved tool calls and text again fold to what the plain call answers."""
    sdk = connect(serve(WatchedProvider(interleaved_tool_calls())))
    request = {**HELLO, "tools": [TOOL]}

    folded, plain = sdk.final(**request), sdk.create(**request)

    assert [without_nulls(block) for block in folded["content"]] == interleaved_content()
    assert [without_nulls(block) for block in plain["content"]] == interleaved_content()
    assert (folded["stop_reason"], folded["model"]) == (plain["stop_reason"], plain["model"])
    assert folded["usage"]["output_tokens"] == plain["usage"]["output_tokens"] == 30
    told = without_nulls(folded["usage"])  # an SDK may leave names out that it does not know, and tell nothing wrong
    assert told == {name: plain["usage"][name] for name in told}


def without_nulls(block: dict[str, object]) -> dict[str, object]:
    """An SDK may add fields of its own that say nothing."""
    return {name: value for name, value in block.items() if value is not None}


def test_one_block_is_open_at_a_time(connect: Connect, serve: Serve) -> None:
    """C25, C26: each start has one stop before the next start; nothing comes after a block's stop."""
    sdk = connect(serve(WatchedProvider(interleaved_tool_calls())))

    events = sdk.events(**HELLO, tools=[TOOL])

    shape = [(event["type"].removeprefix("content_block_"), event.get("index")) for event in events]
    deltas_folded = [each for number, each in enumerate(shape) if number == 0 or each != shape[number - 1]]
    assert deltas_folded == [
        ("message_start", None),
        *[(part, index) for index in range(5) for part in ("start", "delta", "stop")],
        ("message_delta", None),
        ("message_stop", None),
    ]


def test_events_arrive_while_the_upstream_still_works(connect: Connect, serve: Serve) -> None:
    """Section 6: what the upstream said before it paused is at the client before it goes on."""
    pauses = [Pause(), Pause()]
    start, block, first, second, *rest = text_reply("one", "two")
    provider = WatchedProvider([start, block, pauses[0], first, pauses[1], second, *rest])
    server = serve(provider)

    stream = connect(server).open(**HELLO)
    before_any_text = [stream.next()["type"], stream.next()["type"]]
    server.wait_until_reached(pauses[0])
    server.release(pauses[0])
    while_paused_again = stream.next()["delta"]["text"]
    still_running = provider.running
    server.release(pauses[1])
    after = stream.next()["delta"]["text"]
    stream.close()

    assert (before_any_text, while_paused_again, still_running, after) == (
        ["message_start", "content_block_start"],
        "one",
        1,
        "two",
    )


def test_the_sdk_reads_a_stream_to_its_end(connect: Connect, serve: Serve) -> None:
    """Section 6: after message_stop there is nothing."""
    stream = connect(serve(WatchedProvider(text_reply("x")))).open(**HELLO)

    types = []
    while (event := stream.next()) is not None:
        types.append(event["type"])
    stream.close()

    assert types == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
