"""Whole completions, and what comes with a 200 in their place."""

import json

import pytest

from megallm.errors import GatewayError, InvalidRequest, RateLimited, UpstreamFailed
from megallm.messages.events import Reply, Usage
from megallm.messages.fold import fold
from megallm.providers.openai.reply import events_from_wire, from_wire
from tests.legality import assert_legal
from tests.providers.openai.transcripts_chunks import Json, completion, whole_reply
from tests.providers.openai.transcripts_playing import expected
from tests.transcripts import load

FOLDER = "chat_completions"
USAGE = {"prompt_tokens": 5, "completion_tokens": 7}


def entry(arguments: object, call_id: str | None = None) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_thinking_text_and_calls_stand_in_the_order_of_a_reply() -> None:
    """Each in its block; unnumbered calls are calls of their own, whatever their ids."""
    message = {
        "role": "assistant",
        "tool_calls": [entry("{}", "t"), entry('{"a":1}', "t"), entry({"a": 2}), entry("")],
        "content": "x",
        "reasoning": "hm",
    }

    assert whole_reply(message, "tool_calls", reading=expected(), usage=USAGE) == Reply(
        (
            {"type": "thinking", "thinking": "hm", "signature": "chat/m: hm"},
            {"type": "text", "text": "x"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {"a": 2}},
            {"type": "tool_use", "id": "toolu_3", "name": "f", "input": {}},
        ),
        "tool_use",
        Usage(5, 7),
    )


def test_a_stop_sequence_cuts_a_whole_reply_and_its_usage_stays() -> None:
    """Calls behind it are cut with the text (C12)."""
    message = {"content": "a END b", "tool_calls": [entry("{}")]}

    assert whole_reply(message, "length", reading=expected("END"), usage=USAGE) == Reply(
        ({"type": "text", "text": "a "},), "stop_sequence", Usage(5, 7), "END"
    )


def test_a_reply_without_content_is_one() -> None:
    """Null, empty or no message at all."""
    for message in ({"content": None}, {"content": ""}, {}, None):
        assert whole_reply(message, reading=expected(), usage=USAGE) == Reply((), "end_turn", Usage(5, 7))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_replaced(mark: bytes) -> None:
    """As in a stream (C31); a byte-order mark is none of them."""
    body = mark + completion({"content": "a??b"}).replace(b"??", b"\xff\xfe")

    assert from_wire(body, expected()).content == ({"type": "text", "text": "a\ufffd\ufffdb"},)


def test_an_empty_delta_beside_the_message_is_put_away() -> None:
    """Perplexity sends one."""
    body = json.loads(completion({"content": "a"}))
    body["choices"][0]["delta"] = {"role": "assistant", "content": ""}

    assert from_wire(json.dumps(body).encode(), expected()).content == ({"type": "text", "text": "a"},)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"index": 1, "message": {"content": "x"}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "x"}, "finish_reason": null}]}',
        b'{"choices": [{"message": {"content": "x"}}]}',
        b'{"choices": [{"message": "x", "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"tool_calls": "x"}, "finish_reason": "stop"}]}',
        completion({"tool_calls": [entry("{")]}),
        completion({"tool_calls": [entry("{}")]}) + b"}",
        completion({"content": "x"})[:-1],
        completion({"content": "x"}) + b"\xff",
    ],
)
def test_rubbish_with_a_200_is_an_error(body: bytes) -> None:
    """Never half a reply (C28)."""
    with pytest.raises(UpstreamFailed):
        from_wire(body, expected())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error": {"message": "x", "code": 429}}', RateLimited),
        (b'{"error": "x", "choices": null}', UpstreamFailed),
        (b'{"object": "error", "message": "x", "type": "BadRequestError", "code": 400}', InvalidRequest),
        (b'{"choices": [{"error": {"code": 429}, "message": {"content": "x"}, "finish_reason": "stop"}]}', RateLimited),
        (
            b'{"x_groq": {"error": "x"}, "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}',
            UpstreamFailed,
        ),
    ],
)
def test_an_error_with_a_200_is_told_by_its_code(body: bytes, kind: type[GatewayError]) -> None:
    """OpenRouter and some proxies send errors so (C32)."""
    with pytest.raises(kind):
        from_wire(body, expected())


def test_a_filters_error_with_a_200_is_a_refusal() -> None:
    """As it is in a stream."""
    body = b'{"error": {"message": "x", "code": "content_filter"}}'

    assert from_wire(body, expected()).stop_reason == "refusal"


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("xai_usage", Reply(({"type": "text", "text": "101 * 3 = 303"},), "end_turn", Usage(26, 103, 6, 0, 94))),
        (
            "deepseek_thinking",
            Reply(
                (
                    {"type": "thinking", "thinking": "9.8 is 9.80", "signature": "chat/m: 9.8 is 9.80"},
                    {"type": "text", "text": "9.8 is greater."},
                ),
                "end_turn",
                Usage(36, 48, 128, 0, 35),
            ),
        ),
        (
            "llama.cpp_thinking_tool",
            Reply(
                (
                    {"type": "thinking", "thinking": "I need the tool.\n", "signature": "chat/m: I need the tool.\n"},
                    {
                        "type": "tool_use",
                        "id": "M99MQDQ6QudQ0kw6XoVJmpED6AcDSFoh",
                        "name": "get_weather",
                        "input": {"city": "Paris"},
                    },
                ),
                "tool_use",
                Usage(179, 31, 12),
            ),
        ),
    ],
)
def test_a_whole_completion_says_what_the_server_said(name: str, reply: Reply) -> None:
    """xAI's thinking beside the output, DeepSeek's empty lines, llama.cpp's calls."""
    assert from_wire(load(f"{FOLDER}/{name}.json").body, expected()) == reply


def test_a_server_that_does_not_stream_though_asked_to_gives_events() -> None:
    """They fold to the same reply."""
    body = load(f"{FOLDER}/llama.cpp_two_tools.json").body

    events = events_from_wire(body, expected())

    assert_legal(events, whole=True)
    assert fold(events) == from_wire(body, expected())


def test_an_error_body_of_llama_cpp_is_told_as_clients_match_it() -> None:
    """It comes with a 400; should it come with a 200, it reads the same (C33)."""
    with pytest.raises(InvalidRequest) as caught:
        from_wire(load(f"{FOLDER}/llama.cpp_too_long.json").body, expected())

    assert caught.value.message == "prompt is too long: 5020 tokens > 4096 maximum"
