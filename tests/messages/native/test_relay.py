"""The relay, event by event: what passes, what is put right, and what is given up."""

import pytest

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
)
from megallm.messages.events import MessageDelta, MessageStart, MessageStop, Relayed, StreamEvent, Usage
from megallm.messages.native.relay import NativeRelay

MESSAGE = '{"id":"m","content":[],"usage":{"input_tokens":3,"output_tokens":1}}'
START = f'{{"type":"message_start","message":{MESSAGE}}}'
TEXT = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
HI = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}'
STOP = '{"type":"content_block_stop","index":0}'
END = '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}'
LAST = '{"type":"message_stop"}'


def relay_of(*payloads: str, estimate: int = 7, stops: tuple[str, ...] = ()) -> tuple[NativeRelay, list[StreamEvent]]:
    """A relay that has had these payloads, and what became of them."""
    relay = NativeRelay(input_estimate=estimate, stop_sequences=stops)
    return relay, [event for payload in payloads for event in relay.event("", payload)]


def frames(*payloads: str, stops: tuple[str, ...] = ()) -> list[bytes]:
    return [event.frame for event in relay_of(*payloads, stops=stops)[1] if isinstance(event, Relayed)]


def test_a_reply_in_its_plain_form() -> None:
    """The start and the end are read, what stands between them is relayed."""
    relay, events = relay_of(START, TEXT, HI, STOP, END, LAST)

    start = {"id": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    assert events == [
        MessageStart(Usage(3, 1, native={"input_tokens": 3, "output_tokens": 1}), start),
        Relayed(f"event: content_block_start\ndata: {TEXT}\n\n".encode()),
        Relayed(f"event: content_block_delta\ndata: {HI}\n\n".encode()),
        Relayed(f"event: content_block_stop\ndata: {STOP}\n\n".encode()),
        MessageDelta("end_turn", Usage(3, 2, native={"output_tokens": 2}), None, None, end),
        MessageStop(),
    ]
    assert relay.done
    assert relay.event("ping", '{"type":"ping"}') == []
    relay.finish()


@pytest.mark.parametrize("usage", ["null", "{}", '{"input_tokens":0}', '{"input_tokens":null}', '{"input_tokens":-1}'])
def test_a_start_without_a_figure_has_an_estimate(usage: str) -> None:
    """C25; the true figure comes with message_delta."""
    relay, events = relay_of(f'{{"type":"message_start","message":{{"usage":{usage}}}}}')

    assert isinstance(events[0], MessageStart)
    assert events[0].usage.input_tokens == 7
    relay.event("", TEXT)
    relay.event("", '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":40}}')
    assert relay.usage is not None
    assert (relay.usage.input_tokens, relay.usage.output_tokens) == (40, 0)


def test_a_prompt_that_was_cached_whole_needs_no_estimate() -> None:
    """Nothing but cached tokens is a figure too."""
    relay, _ = relay_of('{"type":"message_start","message":{"usage":{"input_tokens":0,"cache_read_input_tokens":9}}}')

    assert relay.usage is not None
    assert (relay.usage.input_tokens, relay.usage.prompt_tokens) == (0, 9)


def test_figures_that_the_end_leaves_out_stand_as_they_began() -> None:
    """Its usage is cumulative, and often the output alone."""
    start = (
        '{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":4,'
        '"cache_creation_input_tokens":5,"output_tokens":1}}}'
    )
    end = (
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        '"usage":{"input_tokens":null,"output_tokens":9,"output_tokens_details":{"thinking_tokens":6}}}'
    )

    relay, _ = relay_of(start, end)

    assert relay.usage is not None
    assert relay.usage == Usage(3, 9, 4, 5, 6, relay.usage.native)


def test_tokens_of_a_reply_that_breaks_off_are_guessed_from_what_was_relayed() -> None:
    """One a delta at least, else a quarter of the letters: a client that leaves early has not got them for nothing."""
    short, _ = relay_of(START, TEXT, HI, HI, HI)
    long, _ = relay_of(START, TEXT, HI.replace("Hi", "x" * 400))
    nothing, _ = relay_of()

    assert [relay.usage and relay.usage.output_tokens for relay in (short, long, nothing)] == [3, 97, None]


def test_a_prompt_that_the_end_takes_back_stays() -> None:
    """Nought is no figure of a prompt."""
    end = '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"output_tokens":2}}'

    relay, _ = relay_of(START, end)

    assert relay.usage is not None
    assert (relay.usage.input_tokens, relay.usage.output_tokens) == (3, 2)


def test_what_the_end_has_told_is_not_guessed_again() -> None:
    """Where the reason comes behind it."""
    told = '{"type":"message_delta","delta":{},"usage":{"output_tokens":2}}'

    relay, _ = relay_of(
        START, TEXT, HI.replace("Hi", "x" * 400), told, '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}'
    )

    assert relay.usage is not None
    assert relay.usage.output_tokens == 2


def test_a_ping_before_the_message_is_left_out() -> None:
    """Nothing may stand before message_start."""
    ping = '{"type":"ping"}'

    assert frames(ping, '{"type":"weather"}', START, ping) == [b'event: ping\ndata: {"type":"ping"}\n\n']


def test_a_second_start_is_left_out() -> None:
    """As LiteLLM sends it."""
    _, events = relay_of(START, START)

    assert len(events) == 1


def test_blocks_that_overlap_come_one_after_the_other() -> None:
    """llama.cpp ends all of them at last, and then adds an empty signature to one that we have ended."""
    thinking = (
        '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}'
    )
    text = TEXT.replace('"index":0', '"index":1')
    empty = '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":""}}'
    stop = STOP.replace('"index":0', '"index":1')

    got = frames(START, thinking, text, empty, STOP, stop, END)

    assert got == [
        f"event: content_block_start\ndata: {thinking}\n\n".encode(),
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
        f"event: content_block_start\ndata: {text}\n\n".encode(),
        f"event: content_block_stop\ndata: {stop}\n\n".encode(),
    ]


def test_a_block_that_the_upstream_does_not_end_is_ended() -> None:
    """Before message_delta."""
    assert (
        frames(START, TEXT, END)[-1] == b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    )


@pytest.mark.parametrize(
    ("begun", "completed"),
    [
        ('{"type":"tool_use","id":"t","name":"n"}', b'{"type":"tool_use","id":"t","name":"n","input":{}}'),
        ('{"type":"thinking","thinking":""}', b'{"type":"thinking","thinking":"","signature":""}'),
        ('{"type":"text","text":null}', b'{"type":"text","text":""}'),
    ],
)
def test_a_block_gets_what_its_type_requires(begun: str, completed: bytes) -> None:
    """Callers of the SDKs rely on these fields."""
    got = frames(START, f'{{"type":"content_block_start","index":0,"content_block":{begun}}}')

    expected = b'{"type":"content_block_start","index":0,"content_block":%b}' % completed
    assert got == [b"event: content_block_start\ndata: %b\n\n" % expected]


def test_a_payload_without_its_type_gets_the_name_of_its_event() -> None:
    """C25 wants both."""
    relay, _ = relay_of(START, TEXT)

    (event,) = relay.event("content_block_delta", '{"index":0,"delta":{"type":"text_delta","text":"Hi"}}')

    assert event == Relayed(f"event: content_block_delta\ndata: {HI}\n\n".encode())


@pytest.mark.parametrize(
    "payload",
    [
        '{"delta":{"type":"x","index":9},"index":0,"type":"content_block_delta"}',
        '{"type":"content_block_delta","delta":{"type":"x","index":9},"index":0}',
        '{"type":"content_block_delta","index": 0, "delta":{"type":"text_delta","text":"\\"index\\": 5"}}  ',
        '{"type":"content_block_delta",\n "index":0,\r\n "delta":{"type":"x"}}',
    ],
)
def test_a_delta_in_an_unusual_order_or_spacing_is_one_too(payload: str) -> None:
    """What a glance cannot tell is read; what has several lines gets a data line for each."""
    got = frames(START, TEXT, payload)[-1]

    lines = payload.replace("\r\n", "\n").split("\n")
    assert got == ("event: content_block_delta\n" + "".join(f"data: {line}\n" for line in lines) + "\n").encode()


def test_bytes_are_relayed_as_strings_are() -> None:
    """Bedrock's frames are bytes."""
    relay, _ = relay_of(START, TEXT)

    assert relay.event("", HI.encode()) == relay.event("content_block_delta", HI)


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    """What is relayed unread is text all the same; strings have been through a decoder."""
    relay, _ = relay_of(START, TEXT)

    (event,) = relay.event("", HI.replace("Hi", "H?é").encode().replace(b"?", b"\xff"))

    replaced = HI.replace("Hi", "H\ufffdé")
    assert event == Relayed(f"event: content_block_delta\ndata: {replaced}\n\n".encode())


def test_a_reason_in_a_later_message_delta_joins_what_came_before() -> None:
    """The documentation allows several; nulls take nothing back."""
    first = '{"type":"message_delta","delta":{"stop_reason":null,"mood":"good"},"usage":{"output_tokens":4}}'
    second = '{"type":"message_delta","delta":{"stop_reason":"end_turn","mood":null},"usage":{}}'

    _, events = relay_of(START, first, second, second, LAST)

    end = MessageDelta(
        "end_turn",
        Usage(3, 4, native={}),
        native={"type": "message_delta", "delta": {"stop_reason": "end_turn", "mood": "good"}, "usage": {}},
    )
    assert events[1:] == [end, end, MessageStop()]


def test_a_message_delta_without_a_delta_is_no_end() -> None:
    """Usage alone."""
    relay, events = relay_of(START, '{"type":"message_delta","usage":{"output_tokens":4}}')

    assert len(events) == 1
    with pytest.raises(UpstreamFailed):
        relay.event("", LAST)


@pytest.mark.parametrize(
    ("delta", "told"),
    [
        ('"stop_reason":"end_turn","stop_sequence":"four"', ("stop_sequence", "four")),
        ('"stop_reason":"end_turn","stop_sequence":"<|im_end|>"', ("end_turn", None)),
        ('"stop_reason":"stop_sequence","stop_sequence":"?"', ("stop_sequence", "?")),
        ('"stop_reason":"max_tokens","stop_sequence":"four"', ("max_tokens", "four")),
    ],
)
def test_a_stop_sequence_that_was_hit_is_the_reason(delta: str, told: tuple[str, str | None]) -> None:
    """llama.cpp calls it end_turn (C12); those of its template are not the caller's business."""
    end = f'{{"type":"message_delta","delta":{{{delta}}},"usage":{{"output_tokens":2}}}}'

    _, events = relay_of(START, end, stops=("four",))

    assert isinstance(events[-1], MessageDelta)
    assert (events[-1].stop_reason, events[-1].stop_sequence) == told


BROKEN = [
    ([TEXT], "a block before the message"),
    ([HI], "a delta before the message"),
    ([STOP], "an end of a block before the message"),
    ([END], "an end before the message"),
    ([LAST], "message_stop alone"),
    ([START, LAST], "message_stop without message_delta"),
    ([START, HI], "a delta of no block"),
    ([START, TEXT, STOP, HI], "a delta after its block's end"),
    ([START, TEXT, HI.replace('"index":0', '"index":1')], "a delta of a block to come"),
    ([START, TEXT, HI.replace('"index":0', '"index":"0"')], "a delta of no index"),
    ([START, STOP], "an end of no block"),
    ([START, TEXT.replace('"index":0', '"index":1')], "a gap"),
    ([START, TEXT, TEXT], "a block twice"),
    ([START, END, TEXT], "a block after message_delta"),
    ([START, '{"type":"content_block_start","index":0}'], "no block in it"),
    ([START, '{"type":"content_block_start","index":0,"content_block":"text"}'], "a block that is none"),
    (['{"type":"message_start"}'], "no message in it"),
    (['{"type":"message_start","message":{"content":[{"type":"text"}]}}'], "a message that has begun before"),
    ([START, TEXT, HI[:-9]], "half a delta"),
    ([START, "<html>"], "no JSON"),
    ([START, "[1]"], "no object"),
    ([START, '{"type":"a\\nb"}'], "a name of two lines"),
    ([START, "{}"], "nothing at all"),
]


@pytest.mark.parametrize("payloads", [pytest.param(payloads, id=name) for payloads, name in BROKEN])
def test_what_cannot_become_a_legal_reply_is_given_up(payloads: list[str]) -> None:
    """An error for the client, never a broken block or a gap (C28)."""
    relay, _ = relay_of(*payloads[:-1])

    with pytest.raises(UpstreamFailed):
        relay.event("", payloads[-1])

    with pytest.raises(UpstreamFailed):
        relay.finish()


@pytest.mark.parametrize("payload", ["", " ", "[DONE]"])
def test_what_says_nothing_is_no_event(payload: str) -> None:
    """Keep-alives, and the end that chat completions have."""
    assert frames(START, payload) == []


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ('{"type":"error","error":{"type":"overloaded_error","message":"x"}}', UpstreamOverloaded),
        ('{"type":"error","error":{"type":"rate_limit_error","message":"x"}}', RateLimited),
        ('{"type":"error","error":{"type":"authentication_error","message":"x"}}', UpstreamMisconfigured),
        ('{"type":"error","error":{"type":"invalid_request_error","message":"x"}}', InvalidRequest),
        ('{"error":{"type":"server_error","message":"x"}}', UpstreamFailed),
        ('{"type":"error"}', UpstreamFailed),
    ],
)
def test_an_error_event_is_an_error(payload: str, error: type[GatewayError]) -> None:
    """By its type, at any time, with its wrapping or without."""
    relay, _ = relay_of(START)

    with pytest.raises(error):
        relay.event("", payload)
