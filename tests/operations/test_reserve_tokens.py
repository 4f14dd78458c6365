"""The guess of a request's tokens, before any tokenizer."""

from pydantic_core import to_json

from megallm.messages.requests import MessagesRequest, parse
from megallm.operations.reserve_tokens import reserved_tokens

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "i" * 400_000}}
FILE = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "f" * 54_000}}
TEXT = {"type": "text", "text": "t" * 40_000}


def body_of(content: object) -> bytes:
    return to_json({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": content}]})


def reserved(content: object) -> int:
    body = body_of(content)
    return reserved_tokens(parse(body, MessagesRequest), len(body))


FRAME = len(body_of(""))


def test_text_is_a_token_for_four_bytes() -> None:
    """The frame of the request counts with it."""
    assert reserved("t" * 40_000) == (40_000 + FRAME) // 4


def test_a_small_request_reserves_at_least_one_token() -> None:
    """Its bytes, whatever they are."""
    assert reserved("Hi") == (2 + FRAME) // 4


def test_images_and_files_are_not_counted_as_text() -> None:
    """An image of 400 KB would be a whole minute of a Basic key; it is 1,600 tokens, a file of 54,000 letters 1,000."""
    assert 1600 <= reserved([IMAGE]) < 1700
    assert 1000 <= reserved([FILE]) < 1100
    assert 13_200 <= reserved([TEXT, IMAGE, IMAGE]) < 13_300


def test_images_inside_tool_results_and_documents_are_found() -> None:
    """As deep as they can lie."""
    document = {"type": "document", "source": {"type": "content", "content": [IMAGE]}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [IMAGE, document]}

    assert 3200 <= reserved([result]) < 3400
