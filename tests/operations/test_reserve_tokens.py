"""The guess of a request's tokens, before any tokenizer."""

import time

from pydantic_core import to_json

from megallm.messages.requests import MessagesRequest, parse
from megallm.operations.reserve_tokens import IMAGE_TOKENS, LETTERS_A_FILE_TOKEN, reserved_tokens
from megallm.providers.estimates import MOST_IMAGE_TOKENS, file_tokens

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "i" * 400_000}}
FILE = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "f" * 54_000}}
TEXT = {"type": "text", "text": "t" * 40_000}


def body_of(content: object) -> bytes:
    return to_json({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": content}]})


def reserved(content: object) -> int:
    body = body_of(content)
    return reserved_tokens(parse(body, MessagesRequest), body)


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


def test_a_file_that_a_server_tool_fetched_is_found_in_its_result() -> None:
    """Its block is of a type that only a native upstream knows."""
    fetched = {"type": "web_fetch_result", "url": "https://a.example", "content": FILE}

    assert 1000 <= reserved([{"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": fetched}]) < 1100


def test_an_image_behind_a_url_is_an_image() -> None:
    """The model reads it all the same."""
    assert 1600 <= reserved([{"type": "image", "source": {"type": "url", "url": "https://a.example/i.png"}}]) < 1650


def test_a_small_image_reserves_no_more_than_its_letters() -> None:
    """An icon is not sixteen hundred tokens."""
    source = {"type": "base64", "media_type": "image/png", "data": "i" * 400}
    content = [{"type": "image", "source": source}]

    assert reserved(content) == (len(body_of(content)) - 400) // 4 + 100


def test_the_figures_are_those_of_the_estimate_of_a_whole_input() -> None:
    """Where a provider counts an input itself, an image and a file cost what is reserved for them."""
    assert (IMAGE_TOKENS, file_tokens("f" * 54_000)) == (MOST_IMAGE_TOKENS, 54_000 // LETTERS_A_FILE_TOKEN)


def test_a_block_with_very_many_parts_is_not_walked_to_its_end() -> None:
    """What lies deep in one is counted as text, and the event loop goes on."""
    content = [{"type": "unheard_of", "parts": [[0]] * 100_000, "image": "image"}]
    body = body_of(content)
    request = parse(body, MessagesRequest)

    began = time.thread_time()
    tokens = reserved_tokens(request, body)

    assert (tokens, time.thread_time() - began < 0.1) == (len(body) // 4, True)
