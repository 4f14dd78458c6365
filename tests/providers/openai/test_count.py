"""The tokens of a request's input: what servers are asked, and what is estimated (C40)."""

from base64 import b64encode
from typing import Any

import pytest

from megallm.errors import UpstreamFailed
from megallm.providers.estimates import MOST_IMAGE_TOKENS
from megallm.providers.openai.count import counted, estimate, tokenizer_body
from megallm.providers.openai.count_images import file_tokens, image_tokens
from megallm.providers.openai.dialect import dialect_of
from megallm.providers.openai.wire import input_to_wire
from tests.providers.pictures import PICTURES

from .asking import BY_URL, FORMAT, IMAGE, ROUTE, SIGNER, WEATHER, call_of, words
from .asking import counted as as_count


def input_of(content: object, **fields: Any) -> dict[str, object]:
    """The translated input."""
    call = call_of(content, **fields)
    return input_to_wire(as_count(call), dialect_of(call.takes.features))[0].body


def test_text_and_frames_are_counted() -> None:
    """Every text by the tokenizer, 4 for each message, 3 for the beginning of the reply."""
    conversation = [
        {"role": "user", "content": "one two three"},
        {"role": "assistant", "content": [{"type": "text", "text": "four"}]},
        {"role": "user", "content": [{"type": "text", "text": "five six"}]},
    ]

    assert estimate(input_of(conversation, system="seven"), words) == 7 + 4 * 4 + 3


def test_tools_calls_and_formats_are_counted_as_their_json() -> None:
    """With 12 for the list of tools, and 7 for each; here each JSON text is a word or two."""
    call = {"type": "tool_use", "id": "t", "name": "get_weather", "input": {"city": "a b"}}
    conversation = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "two three"}]},
    ]

    plain = estimate(input_of(conversation), words)
    tools = estimate(input_of(conversation, tools=[WEATHER]), words)
    format_ = estimate(input_of(conversation, output_config=FORMAT), words)

    assert plain == 3 + 2 + 3 * 4 + 3
    assert tools - plain == 12 + 7 + len(["Get", "the", "current", "weather", "in", "a", "city"])
    assert format_ - plain == 1


def test_thinking_that_goes_back_is_counted() -> None:
    """The field is each server's own."""
    body = {"messages": [{"role": "assistant", "content": None, "reasoning": "a b"}, {"reasoning_content": "c"}]}

    assert estimate(body, words) == 3 + 2 * 4 + 3


def test_images_and_files_are_counted_by_their_size() -> None:
    """7 by 5 pixels are one token; a URL is not looked behind."""
    small = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _encoded("png")}}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "A" * 5400}

    text = estimate(input_of([{"role": "user", "content": "a"}]), words)
    with_media = estimate(
        input_of(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "a"},
                        small,
                        BY_URL,
                        {"type": "document", "source": pdf},
                        IMAGE,
                    ],
                }
            ]
        ),
        words,
    )

    assert with_media == text + 1 + MOST_IMAGE_TOKENS + file_tokens(f"data:application/pdf;base64,{'A' * 5400}") + 1


def _encoded(name: str) -> str:
    return b64encode(PICTURES[name]).decode()


@pytest.mark.parametrize(
    ("url", "tokens"),
    [
        *((f"data:image/any;base64,{_encoded(name)}", 1) for name in PICTURES),
        ("data:image/png;base64,!!!!", MOST_IMAGE_TOKENS),
        ("data:image/png;base64,éééé", MOST_IMAGE_TOKENS),
        ("data:image/png", MOST_IMAGE_TOKENS),
        ("https://a.invalid/x.png", MOST_IMAGE_TOKENS),
        (
            "data:image/png;base64,"
            + b64encode(
                b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (750).to_bytes(4, "big") + (100).to_bytes(4, "big")
            ).decode(),
            100,
        ),
        (
            "data:image/png;base64,"
            + b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (9999).to_bytes(4, "big") * 2).decode(),
            MOST_IMAGE_TOKENS,
        ),
    ],
)
def test_an_image_costs_its_pixels_over_750(url: str, tokens: int) -> None:
    """1,600 at most, and that where the size cannot be read."""
    assert image_tokens(url) == tokens


def test_a_tokenizer_sees_what_makes_the_input() -> None:
    """The same fields that the chat would have; nothing about the reply."""
    conversation = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]

    body = tokenizer_body("m-1", input_of(conversation, table="vllm", tools=[WEATHER], thinking={"type": "disabled"}))

    assert sorted(body) == [
        "add_generation_prompt",
        "chat_template_kwargs",
        "continue_final_message",
        "messages",
        "model",
        "tools",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b'{"count":7,"max_model_len":8,"tokens":[1]}',
        b'{"input_tokens":7,"object":"response.input_tokens"}',
        b'{"total_tokens":7,"request_model":"m"}',
    ],
)
def test_a_count_is_read_in_every_shape(answer: bytes) -> None:
    """vLLM, llama.cpp (captured), LiteLLM."""
    assert counted(answer) == 7


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"count":true}', b'{"count":"7"}'])
def test_what_is_no_count_is_an_upstreams_failure(answer: bytes) -> None:
    """Never a guess at what it may mean."""
    with pytest.raises(UpstreamFailed):
        counted(answer)


def test_thinking_of_earlier_turns_is_not_counted() -> None:
    """Whose it is cannot be told without the secret, which counting does not need."""
    thinking = {"type": "thinking", "thinking": "one two three", "signature": SIGNER.sign(ROUTE, "one two three")}
    conversation = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]

    assert estimate(input_of(conversation, table="deepseek"), words) == 3 + 3 * 4 + 3
