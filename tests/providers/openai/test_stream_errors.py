"""Streams of chat-completions servers that break off, hold rubbish or tell of an error (contract C28, C32)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.messages.events import (
    BlockStart,
    JsonObject,
    MessageDelta,
    MessageStart,
    MessageStop,
    TextDelta,
    Usage,
)
from megallm.providers.openai.reply import events_from_wire
from megallm.providers.openai.stream import ReplyStream
from tests.legality import assert_legal
from tests.providers.openai.transcripts_chunks import (
    DONE,
    Json,
    chunk,
    error,
    reply,
    sse,
    streamed,
    text,
)
from tests.providers.openai.transcripts_playing import INPUT_ESTIMATE, Played, expected, play

STOP = chunk({}, "stop")
TEXT: JsonObject = {"type": "text", "text": ""}


@pytest.mark.parametrize(
    ("finish_reason", "kind"),
    [("error", UpstreamFailed), ("abort", UpstreamFailed), ("insufficient_system_resource", UpstreamOverloaded)],
)
def test_a_finish_reason_that_is_no_end_is_an_error(finish_reason: str, kind: type[Exception]) -> None:
    """What the upstream broke off is not passed on as whole (C28)."""
    assert error(text("a"), chunk({}, finish_reason), DONE) is kind


def test_a_filter_that_speaks_in_an_error_ends_the_reply() -> None:
    """The same as its finish_reason, also before anything else came (C11)."""
    found = {"content_filter_result": {"violence": {"filtered": True}, "hate": {"filtered": False}}}

    played = streamed({"error": {"code": "content_filter", "message": "no", "innererror": found}}, text("never"))

    assert played == Played(
        events=(MessageStart(Usage(INPUT_ESTIMATE)),),
        closing=(
            MessageDelta(
                "refusal",
                Usage(INPUT_ESTIMATE),
                stop_details={
                    "type": "refusal",
                    "category": None,
                    "explanation": "The model provider's content filter ended the reply (violence).",
                },
            ),
            MessageStop(),
        ),
    )


def test_done_without_a_finish_reason_is_a_death() -> None:
    """C28."""
    assert error(text("a"), DONE) is UpstreamFailed


@pytest.mark.parametrize("body", [b"", b"<html><body>502 Bad Gateway</body></html>\n\n", b'{"choices": []}\n\n'])
def test_a_body_without_events_is_an_error(body: bytes) -> None:
    """HTML, a whole completion, nothing at all."""
    assert play([body]).error == (UpstreamFailed, "The upstream ended before its reply was whole")


@pytest.mark.parametrize(
    "data",
    [
        "<html>",
        "{",
        "null",
        "[]",
        '"text"',
        '{"choices": {}}',
        '{"choices": ["x"]}',
        '{"choices": [{"index": 0, "delta": "x"}]}',
        '{"choices": [{"index": 0, "delta": {"content": 5}}]}',
        '{"choices": [{"index": 0, "delta": {"content": ["x"]}}]}',
        '{"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": 5}]}}]}',
        '{"choices": [{"index": 0, "delta": {"reasoning": {}, "reasoning_content": [1]}}]}',
        '{"choices": [{"index": 0, "delta": {"reasoning_details": {"a": 1}}}]}',
        '{"choices": [{"index": 0, "delta": {"tool_calls": {"a": 1}}}]}',
        '{"choices": [{"index": 0, "delta": {"tool_calls": [{"function": "f"}]}}]}',
        '{"choices": [{"index": 0, "delta": {"tool_calls": [{"function": {"name": 5}}]}}]}',
        '{"choices": [{"index": 0, "delta": {"tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}}]}',
        '{"choices": [{"index": 0, "delta": {"function_call": "f"}}]}',
        '{"choices": [{"index": 0, "delta": {}, "finish_reason": 5}]}',
    ],
)
def test_rubbish_is_an_error_and_what_came_before_it_is_not_lost(data: str) -> None:
    """Wherever the bytes are cut: the error comes at the end (C28, C31)."""
    played = play([sse(text("a"), f"data: {data}", STOP, DONE)])

    assert played == Played(
        (MessageStart(Usage(INPUT_ESTIMATE)), BlockStart(0, TEXT), TextDelta(0, "a")),
        error=(UpstreamFailed, "The upstream sent what is not a chat completion"),
    )


def test_comments_and_empty_events_are_nothing() -> None:
    """They keep the connection open, and are no events of ours (C29)."""
    chunks = (": OPENROUTER PROCESSING", "data:", "event: ping", text("a"), ": keep-alive", STOP)

    assert reply(*chunks).content == ({"type": "text", "text": "a"},)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"error": {"message": "x", "code": 502}}, UpstreamFailed),
        ({"error": {"message": "x", "code": "429"}}, RateLimited),
        ({"error": {"message": "x", "type": "rate_limit_exceeded", "code": None}}, RateLimited),
        ({"error": {"message": "x", "type": "unavailable_error", "code": 503}}, UpstreamOverloaded),
        ({"error": {"message": "x", "code": "timeout"}}, UpstreamTimedOut),
        ({"error": {"message": "x", "code": 401}}, UpstreamMisconfigured),
        ({"error": {"message": "x", "type": "BadRequestError"}}, InvalidRequest),
        ({"error": {"message": "x", "type": "of tomorrow", "code": 200}}, UpstreamFailed),
        ({"error": "text alone"}, UpstreamFailed),
        ({"object": "error", "message": "x", "type": "InternalServerError", "code": 500}, UpstreamFailed),
        ({"object": "error", "message": "x", "type": "BadRequestError", "code": 400}, InvalidRequest),
        ({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "error": {"code": 502}}]}, UpstreamFailed),
        ({**chunk({"content": "b"}), "x_groq": {"id": "req_1", "error": "over capacity"}}, UpstreamFailed),
        ({**chunk({"content": ""}, "error"), "error": {"code": 502, "message": "x"}}, UpstreamFailed),
    ],
)
def test_an_error_in_the_place_of_a_chunk_is_told_by_its_code(payload: Json, kind: type[Exception]) -> None:
    """There is no status any more (C28, C32)."""
    assert error(text("a"), payload, STOP, DONE) is kind


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ('event: error\ndata: {"error": {"message": "x", "code": 429}}', RateLimited),
        ('event: error\ndata: {"message": "x", "code": 429}', RateLimited),
        ("event: error\ndata: it broke", UpstreamFailed),
    ],
)
def test_an_event_named_error_is_one(event: str, kind: type[Exception]) -> None:
    """Whatever its data are."""
    assert error(text("a"), event, STOP) is kind


def test_a_prompt_that_turns_out_too_long_is_told_as_clients_match_it() -> None:
    """C33."""
    message = "request (5020 tokens) exceeds the available context size (4096 tokens), try increasing it"
    failure = {"error": {"code": 400, "message": message, "type": "exceed_context_size_error"}}

    assert play([sse(failure)]).error == (InvalidRequest, "prompt is too long: 5020 tokens > 4096 maximum")


def test_a_failed_stream_is_done() -> None:
    """The provider stops reading it."""
    stream = ReplyStream(expected())

    stream.feed(b"data: {\n\n")

    assert stream.done


KEYS = [
    "arguments",
    "choices",
    "code",
    "content",
    "delta",
    "error",
    "finish_reason",
    "function",
    "function_call",
    "id",
    "index",
    "message",
    "name",
    "object",
    "prompt_tokens",
    "reasoning",
    "reasoning_details",
    "refusal",
    "text",
    "timings",
    "tool_calls",
    "type",
    "usage",
    "__verbose",
    "stop_reason",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats() | st.sampled_from(["", "a", "{}", "stop", "error"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
CHOICES = st.fixed_dictionaries(
    {"index": st.just(0), "delta": st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)},
    optional={"finish_reason": VALUES, "error": VALUES, "stop_reason": VALUES, "content_filter_results": VALUES},
)
CHUNKS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4) | st.fixed_dictionaries(
    {"choices": st.lists(CHOICES, max_size=2)}, optional={"usage": VALUES, "error": VALUES, "timings": VALUES}
)


@given(st.lists(CHUNKS, max_size=4))
def test_whatever_comes_the_events_are_legal_and_the_error_is_ours(chunks: list[Json]) -> None:
    """Nothing but a GatewayError comes of any JSON, streamed or whole (C28)."""
    streamed(*chunks, STOP)
    for body in map(json.dumps, chunks):
        try:
            events = events_from_wire(body.encode(), expected())
        except GatewayError:
            continue
        assert_legal(events, whole=True)
