"""What an input costs where no upstream tells: every text that the model reads, images and files by their size."""

from base64 import b64encode
from typing import Any

import pytest

from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse
from megallm.providers.estimates import MOST_IMAGE_TOKENS, body_bytes, file_tokens, image_tokens, request_tokens

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def png(width: int, height: int) -> bytes:
    """The beginning of a picture, which tells its size."""
    return PNG + width.to_bytes(4, "big") + height.to_bytes(4, "big")


def counted(content: object = "x", **fields: object) -> tuple[int, list[str]]:
    """The tokens beside the texts, which count nothing here, and the texts that were counted."""
    read: list[str] = []

    def note(text: str) -> int:
        read.extend(text.split("\n"))
        return 0

    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
    return request_tokens(TokenCountRequest.model_validate(body), note), read


def source(data: str, media_type: str) -> dict[str, object]:
    return {"type": "base64", "media_type": media_type, "data": data}


def test_a_plain_question_is_its_text_and_a_frame() -> None:
    """Four tokens for the request, and four for a turn."""
    assert counted("Hello") == (4 + 4, ["Hello"])


@pytest.mark.parametrize("told", [b"", b',"stream":true', b',"stream":false'])
def test_a_body_is_as_large_whether_it_asks_for_a_stream_or_not(told: bytes) -> None:
    """So that both are estimated the same (C31); a batch's request may have no body of its own."""
    body = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]'

    request = parse(body + told + b"}", MessagesRequest)

    assert body_bytes(request, body + told + b"}") == len(body) + 1
    assert body_bytes(request, b"") == 0


@pytest.mark.parametrize(
    ("picture", "tokens"),
    [(png(300, 200), 80), (png(4000, 3000), MOST_IMAGE_TOKENS), (b"no picture", MOST_IMAGE_TOKENS)],
    ids=["small", "large", "unknown"],
)
def test_an_image_costs_what_its_pixels_cost(picture: bytes, tokens: int) -> None:
    """A token for 750 of them, 1,600 at most. A block has a frame, as request and turn have."""
    data = b64encode(picture).decode()

    assert counted([{"type": "image", "source": source(data, "image/png")}]) == (3 * 4 + tokens, [""])
    assert image_tokens(data) == tokens


def test_what_is_no_base64_counts_as_the_largest_image() -> None:
    """The upstream will say what is wrong with it."""
    assert image_tokens("=not base64=") == MOST_IMAGE_TOKENS


def test_an_image_by_url_counts_as_the_largest() -> None:
    """Nothing is fetched to count."""
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}

    assert counted([image]) == (2 * 4 + MOST_IMAGE_TOKENS, [""])


def test_a_file_costs_what_its_size_costs() -> None:
    """A PDF of 40 bytes a token, and what stands beside it."""
    data = b64encode(bytes(4000)).decode()
    document = {"type": "document", "title": "A paper", "source": source(data, "application/pdf")}

    assert counted([document]) == (3 * 4 + 99, ["A paper"])
    assert file_tokens(data) == 99


def test_tools_count_with_their_schemas_and_calls_with_their_input() -> None:
    """As JSON, names and all; ids and flags are nothing that a model reads."""
    tool = {"name": "look", "description": "Looks", "input_schema": {"type": "object"}, "strict": True}
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": [1]}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a wall", "is_error": False}

    messages = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]

    assert counted(messages=messages, tools=[tool], system="Be brief.") == (
        6 * 4,
        ["look", '{"at":[1]}', "a wall", "Be brief.", "look", "Looks", '{"type":"object"}'],
    )
