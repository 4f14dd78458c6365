"""The laws of a relayed stream, for every transcript of a server that speaks our own format."""

import re
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from megallm.errors import GatewayError, UpstreamFailed, UpstreamOverloaded
from megallm.messages.native.reply import native_reply
from megallm.messages.replies import reply_to_wire
from tests.transcripts import FOLDER, load
from tests.wire_legality import check, payloads

from .relaying import MESSAGE_ID, MODEL, Relaying, accumulated, relayed

STOPS = ("nothing", "four", "three")  # what the captured requests named
STREAMS = sorted(path.stem for path in (FOLDER / "anthropic").glob("*.sse"))
WHOLE = [name for name in STREAMS if name != "overloaded_midway"]
PAIRS = [name for name in WHOLE if (FOLDER / "anthropic" / f"{name}.json").exists()]
END = re.compile(rb'"type": ?"message_stop"')


def stream_of(name: str) -> bytes:
    return load(f"anthropic/{name}.sse").body


# Every cut runs the same branches once more: measuring their coverage would take minutes and show nothing.
EVERY_CUT = pytest.mark.no_cover


@EVERY_CUT
@pytest.mark.parametrize("name", WHOLE)
def test_a_stream_does_not_depend_on_where_its_bytes_were_cut(name: str) -> None:
    """Whole, byte by byte, and in two (C31)."""
    body = stream_of(name)
    frames = relayed([body], STOPS)

    assert relayed((body[at : at + 1] for at in range(len(body))), STOPS) == frames
    assert all(relayed((body[:at], body[at:]), STOPS) == frames for at in range(1, len(body), 5))


@EVERY_CUT
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_cut_off_never_looks_whole(name: str) -> None:
    """At every byte before message_stop there, its end is an error here (C28)."""
    body = stream_of(name)
    line_end = b"\r\n" if b"\r\n" in body else b"\n"
    last = END.search(body)
    enough = len(body)
    if last is not None:
        enough = body.index(line_end * 2, last.end()) + len(line_end) + 1  # a CR may be the end of a line by itself

    for at in range(len(body)):
        relaying = Relaying(STOPS)
        try:
            relaying.feed(body[:at])
            relaying.finish()
            ended_well = True
        except GatewayError:
            ended_well = False
        assert ended_well == relaying.relay.done == (at >= enough), f"cut off at {at}"


@pytest.mark.parametrize("name", WHOLE)
def test_every_prefix_of_the_frames_is_legal(name: str) -> None:
    """C25, and nothing follows message_stop."""
    assert check(relayed([stream_of(name)], STOPS)).is_whole


@pytest.mark.parametrize("name", PAIRS)
def test_the_official_sdk_makes_of_the_stream_what_the_whole_reply_is(name: str) -> None:
    """Content, reasons and figures; not the figures that our documentation adds, which the SDK takes from the start."""
    whole = native_reply(load(f"anthropic/{name}.json").body, stop_sequences=STOPS)

    streamed = accumulated(relayed([stream_of(name)], STOPS))

    captured = name.startswith("llama_cpp_")
    unstreamed = from_json(to_json(reply_to_wire(whole, MESSAGE_ID, MODEL)))
    assert comparable(streamed, captured) == comparable(unstreamed, captured)


def comparable(message: dict[str, Any], captured: bool) -> dict[str, Any]:
    """Without what two runs of one server do not have in common, and without nulls, which the SDK leaves out."""
    usage = {name: value for name, value in message["usage"].items() if name not in OURS and value is not None}
    content = message["content"]
    if captured:  # two runs: the ids are random, the prompt was in the cache or not
        usage = {"output_tokens": usage["output_tokens"]}
        content = [{name: value for name, value in block.items() if name != "id"} for block in content]
    # The SDK takes the model's name from a fallback block.
    apart = ("usage", "content", "model")
    rest = {name: value for name, value in message.items() if name not in apart and value is not None}
    return {**rest, "content": content, "usage": usage}


OURS = ("prompt_tokens", "completion_tokens", "total_tokens")


@pytest.mark.parametrize("name", ["unknown_parts", "web_search", "tool_use", "compaction"])
def test_the_payloads_of_an_upstream_arrive_byte_for_byte(name: str) -> None:
    """Spelling of numbers, escapes, order and white space; only message_start, message_delta and the end are ours."""
    body = stream_of(name)
    ours = (b"message_start", b"message_delta", b"message_stop")

    sent = [
        frame for frame in body.split(b"\n\n") if frame and not frame.startswith(tuple(b"event: " + k for k in ours))
    ]
    got = [frame[:-2] for frame in relayed([body]) if not frame.startswith(tuple(b"event: " + k for k in ours))]

    assert got == sent


def test_what_nobody_knows_yet_survives_in_the_start_and_the_end() -> None:
    """Fields of message_start, of message_delta and of usage; a reason that is newer than we are."""
    frames = relayed([stream_of("unknown_parts")])

    start, *_, end, _ = payloads(b"".join(frames))
    assert (start["message"]["mood"], start["message"]["usage"]["quarks"]) == ({"values": [1, 2]}, {"up": 2})
    assert end == {
        "type": "message_delta",
        "delta": {"stop_reason": "ascended", "stop_sequence": None, "mood": "good"},
        "usage": end["usage"],
        "more": [6],
    }
    assert end["usage"]["quarks"] == {"up": 3}


def test_an_error_midway_is_that_error() -> None:
    """By its type; what was there before has been shown."""
    relaying = Relaying()

    with pytest.raises(UpstreamOverloaded):
        relaying.feed(stream_of("overloaded_midway"))

    assert check(relaying.frames).kinds == ["message_start", "content_block_start", "content_block_delta"]


def test_a_prompt_that_is_too_long_for_llama_cpp_is_told_in_the_words_that_clients_look_for() -> None:
    """C33."""
    with pytest.raises(GatewayError) as caught:
        native_reply(load("anthropic/llama_cpp_too_long.json").body)

    assert (caught.value.status, caught.value.message) == (400, "prompt is too long: 6012 tokens > 4096 maximum")


def test_every_transcript_says_where_it_is_from() -> None:
    """Captured, or reconstructed from a named source; the loader sees to it."""
    origins = {path.name: load(path).origin for path in (FOLDER / "anthropic").iterdir()}

    assert {name for name, origin in origins.items() if origin == "captured"} == {
        name for name in origins if name.startswith("llama_cpp_")
    }


def test_no_wire_is_no_message() -> None:
    """An empty stream."""
    with pytest.raises(UpstreamFailed):
        relayed([])
