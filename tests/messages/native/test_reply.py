"""A whole reply of a native upstream: everything in it survives, and nothing else is one."""

import pytest

from megallm.errors import GatewayError, UpstreamFailed, UpstreamOverloaded
from megallm.messages.events import Reply, Usage
from megallm.messages.native.reply import native_reply

TEXT = {"type": "text", "text": "Hi", "extra": 1}


def test_a_message_keeps_all_its_fields() -> None:
    """Those that we know, and those that we do not."""
    body = (
        b'{"id":"m","type":"message","content":[{"type":"text","text":"Hi","extra":1}],"stop_reason":"ascended",'
        b'"stop_details":{"type":"x"},"usage":{"input_tokens":3,"output_tokens":2,"quarks":1},"mood":"good"}'
    )

    usage = {"input_tokens": 3, "output_tokens": 2, "quarks": 1}
    message = {"id": "m", "type": "message", "content": [TEXT], "stop_reason": "ascended"}
    assert native_reply(body) == Reply(
        (TEXT,),
        "ascended",  # type: ignore[arg-type]  # a reason that is newer than our types
        Usage(3, 2, native=usage),
        None,
        {"type": "x"},
        native={**message, "stop_details": {"type": "x"}, "usage": usage, "mood": "good"},
    )


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ("null", (7, 3)),
        ('"none"', (7, 3)),
        ("{}", (7, 3)),
        ('{"input_tokens":null,"output_tokens":null}', (7, 3)),
        ('{"input_tokens":0,"output_tokens":true}', (7, 3)),
        ('{"input_tokens":40,"output_tokens":null}', (40, 3)),
        ('{"input_tokens":null,"output_tokens":0}', (7, 0)),
        ('{"cache_read_input_tokens":9,"output_tokens":5}', (0, 5)),
    ],
)
def test_what_the_usage_leaves_out_is_an_estimate_as_in_a_stream(usage: str, counted: tuple[int, int]) -> None:
    """Some gateways tell none: a quarter of the bytes that the model wrote, and what we know of the input (C31)."""
    body = f'{{"content":[{{"type":"text","text":"Größe 🎉"}}],"stop_reason":"end_turn","usage":{usage}}}'

    reply = native_reply(body.encode(), input_estimate=7)

    assert (reply.usage.input_tokens, reply.usage.output_tokens) == counted


def test_a_message_without_usage_is_survived() -> None:
    """No member, no estimate, nothing said: there is still no prompt without tokens."""
    reply = native_reply(b'{"content":[],"stop_reason":"end_turn"}')

    assert (reply.content, reply.usage) == ((), Usage(1))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_replaced(mark: bytes) -> None:
    """As in a stream (C31); a byte-order mark is none of them."""
    body = mark + b'{"content":[{"type":"text","text":"a\xff\xfeb"}],"stop_reason":"end_turn"}'

    assert native_reply(body).content == ({"type": "text", "text": "a\ufffd\ufffdb"},)


def test_a_stop_sequence_of_the_request_is_the_reason() -> None:
    """C12, as in a stream."""
    body = b'{"content":[],"stop_reason":"end_turn","stop_sequence":"four"}'

    reply = native_reply(body, stop_sequences=["four"])

    assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", "four")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"content":[],"stop_reason":null}',
        b'{"content":"Hi","stop_reason":"end_turn"}',
        b'{"content":["Hi"],"stop_reason":"end_turn"}',
        b'{"content":[{"text":"Hi"}],"stop_reason":"end_turn"}',
        b'{"content":[{"type":"text","text":"Hi","score":NaN}],"stop_reason":"end_turn"}',
        b'{"error":"no"}',
    ],
)
def test_whatever_is_no_message_is_a_failure(body: bytes) -> None:
    """Also JSON that only resembles one."""
    with pytest.raises(UpstreamFailed):
        native_reply(body)


@pytest.mark.parametrize("wrapping", [b'{"type":"error","error":%b}', b'{"error":%b}'])
def test_an_error_object_is_that_error(wrapping: bytes) -> None:
    """Though it came with a status of success."""
    with pytest.raises(GatewayError) as caught:
        native_reply(wrapping % b'{"type":"overloaded_error","message":"x"}')

    assert type(caught.value) is UpstreamOverloaded
