"""A line becomes an item, or an error that names what is wrong with it."""

import pytest
from pydantic_core import from_json, to_json

from megallm.batches.items import BadItem, Item, read_item
from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.model import Job
from megallm.batches.options import job_of
from megallm.batches.templates import request_of
from tests.batches.samples import MESSAGES, PARAMS, SUMMARIZE, TRANSLATE, item


def bad(line: bytes, job: Job, *, duplicate: bool = False) -> tuple[str, str, str | None]:
    """The id, message and param of a bad item, whose line is kept."""
    read = read_item(line, 7, job, duplicate=duplicate)
    assert isinstance(read, BadItem)
    assert (read.record, read.original) == (7, line)
    return read.custom_id, read.error.message, read.error.param


def test_a_row_becomes_its_tasks_request_and_passes_on_its_other_fields() -> None:
    """The id and the text are used; what else the row has is kept for its result."""
    line = to_json({"custom_id": "a", "text": "Hello", "sku": 17, "tags": ["x"]})

    read = item(line)

    assert read == Item(
        record=1,
        custom_id="a",
        body=to_json(request_of(TRANSLATE, "Hello")),
        passed={"sku": 17, "tags": ["x"]},
        original=line,
        request=read.request,
        mark="text",
    )
    assert read.request.model_dump(exclude_unset=True) == request_of(TRANSLATE, "Hello")


def test_a_batch_line_of_anthropics_is_sent_as_it_came() -> None:
    """Fields that we do not know are kept, as on the messages route; so are the digits of numbers."""
    params = {**PARAMS, "temperature": 0.1, "new_field": {"a": [1, None]}}

    read = item(to_json({"custom_id": "a-1", "params": params}), MESSAGES)

    assert (read.custom_id, from_json(read.body), read.passed, read.mark) == ("a-1", params, {}, "")
    assert read.request.temperature == 0.1


def test_the_named_fields_give_id_and_text() -> None:
    """`id_field` and `text_fields`; a number is a fine id, several texts make one, `custom_id` is a field like any."""
    job = job_of("summarize", {"id_field": "sku", "text_fields": ["title", "body"]})

    read = item(b'{"sku": 17, "body": "B", "title": "T", "text": "x", "custom_id": "c"}', job)

    assert (read.custom_id, read.passed) == ("17", {"text": "x", "custom_id": "c"})
    assert from_json(read.body) == request_of(job, "T\n\nB")


def test_a_row_without_an_id_has_its_records_number() -> None:
    """Also where the id is null."""
    ids = [read_item(line, 12, TRANSLATE).custom_id for line in (b'{"text":"a"}', b'{"text":"a","custom_id":null}')]

    assert ids == ["12", "12"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"hello", ("7", "The line is not valid JSON: expected value at line 1 column 1", None)),
        (b'["a"]', ("7", "The line must be a JSON object", None)),
        (b'"a"', ("7", "The line must be a JSON object", None)),
        (b'{"text":"\xff"}', ("7", "The line is not valid JSON: invalid unicode code point at line 1 column 10", None)),
        (b'{"text":"a","n":NaN}', ("7", "The line is not valid JSON: expected value at line 1 column 17", None)),
        (
            b'{"text":"a","n":' + b"9" * 5000 + b"}",
            ("7", "The line is not valid JSON: number out of range at line 1 column 4318", None),
        ),
        (b'{"text":"a","n":' + b"[" * 195 + b"]" * 195 + b"}", ("7", "The line is nested too deeply", None)),
        (
            b'{"text":' + b"[" * 100_000,
            ("7", "The line is not valid JSON: recursion limit exceeded at line 1 column 209", None),
        ),
        (b'{"custom_id":"a"}', ("a", "text is required: the text", "text")),
        (b'{"custom_id":"a","text":""}', ("a", "text is empty", "text")),
        (b'{"custom_id":"a","text":" \\n"}', ("a", "text is empty", "text")),
        (b'{"custom_id":"a","text":5}', ("a", "text must be a string", "text")),
        (
            b'{"custom_id":true,"text":"a"}',
            ("7", "custom_id must be a number or a string of 1 to 256 letters", "custom_id"),
        ),
        (
            b'{"custom_id":"","text":"a"}',
            ("7", "custom_id must be a number or a string of 1 to 256 letters", "custom_id"),
        ),
        (
            b'{"custom_id":"a","text":"a\\u0000"}',
            ("a", "text: NUL characters are not allowed", "text"),
        ),
    ],
)
def test_a_bad_row_of_texts_is_an_error_that_names_the_fault(line: bytes, told: tuple[str, str, str | None]) -> None:
    """It keeps its id where that could be read, and its line."""
    assert bad(line, TRANSLATE) == told


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"custom_id": "a"}, ("a", "params is required: a Messages request", "params")),
        ({"custom_id": "a", "params": [1]}, ("a", "params must be a JSON object: a Messages request", "params")),
        (
            {"custom_id": "a", "params": {**PARAMS, "stream": True}},
            ("a", "stream: the requests of a batch cannot be streamed", "stream"),
        ),
        ({"custom_id": "a", "params": {"model": "m", "max_tokens": 1}}, ("a", "messages is required", "messages")),
        (
            {"custom_id": "a b", "params": PARAMS},
            ("7", "custom_id: 1 to 64 of the letters A-Z, a-z, 0-9, _ and - are allowed, not 'a b'", "custom_id"),
        ),
        ({"custom_id": 5, "params": PARAMS}, ("7", "custom_id must be a string", "custom_id")),
    ],
)
def test_a_bad_request_is_an_error_that_names_the_field(
    row: dict[str, object], told: tuple[str, str, str | None]
) -> None:
    """The requests are validated like those of the messages route; the ids by Anthropic's rule."""
    assert bad(to_json(row), MESSAGES) == told


def test_a_number_too_large_for_json_is_an_error() -> None:
    """1e999 is infinite once it is read, and JSON has no word for that."""
    line = (
        b'{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],"x":1e999}}'
    )

    assert bad(line, MESSAGES) == ("a", "A number of the request is too large for JSON's readers", None)


def test_stream_false_is_fine() -> None:
    """Some clients always send the field."""
    assert item(to_json({"custom_id": "a", "params": {**PARAMS, "stream": False}}), MESSAGES).request.stream is False


def test_a_second_record_with_an_id_is_an_error_under_that_id() -> None:
    """The first one keeps its result; the second can be submitted again with another id, or alone."""
    told = bad(b'{"custom_id":"a","text":"b"}', SUMMARIZE, duplicate=True)

    assert told == ("a", "custom_id: an earlier record has the id 'a' too", "custom_id")


def test_a_line_over_the_limit_is_an_error_and_is_not_kept() -> None:
    """One byte less is read."""
    filled = b'{"text":"%b"}' % (b"a" * (MAX_LINE_BYTES - 11))

    fits, longer = read_item(filled, 1, TRANSLATE), read_item(filled + b" ", 1, TRANSLATE)

    assert isinstance(fits, Item)
    assert isinstance(longer, BadItem)
    assert (longer.custom_id, longer.error.message, longer.original) == (
        "1",
        "The item is larger than 1,048,576 bytes and was not read",
        b"",
    )
