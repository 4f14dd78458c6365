"""The lines of the result files, and that errors.jsonl can be submitted again."""

import pytest
from anthropic.types.messages import MessageBatchIndividualResponse
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from megallm.batches.items import BadItem, Item, read_item
from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.model import Counts, Job, Spent, message_id_of, request_id_of
from megallm.batches.results import (
    Canceled,
    Errored,
    Expired,
    Outcome,
    Succeeded,
    error_line,
    manifest,
    result_line,
)
from megallm.errors import GatewayError, InternalError, InvalidRequest, RateLimited, UpstreamOverloaded
from tests.batches.samples import MESSAGES, PARAMS, SUMMARIZE, TRANSLATE, batch, item, message

REQUEST = to_json({"custom_id": "a", "params": PARAMS})


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (
            Succeeded(message("Hi")),
            {"type": "succeeded", "message": {**message("Hi"), "id": message_id_of("msgbatch_1", 1)}},
        ),
        (
            Errored(InvalidRequest("no", param="model"), 1),
            {
                "type": "errored",
                "error": {
                    "type": "error",
                    "error": {"type": "invalid_request_error", "message": "no", "param": "model"},
                    "request_id": request_id_of("msgbatch_1", 1),
                },
            },
        ),
        (Canceled(), {"type": "canceled"}),
        (Expired(), {"type": "expired"}),
    ],
)
def test_a_result_of_messages_is_the_sdks_individual_response(outcome: Outcome, result: dict[str, object]) -> None:
    """Nothing else in the line; ids follow from batch and record; the SDK reads it."""
    line = result_line(batch(MESSAGES), item(REQUEST, MESSAGES), outcome)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert from_json(line) == {"custom_id": "a", "result": result}
    assert MessageBatchIndividualResponse.model_validate_json(line).result.type == result["type"]


def test_a_result_of_a_text_has_the_text_and_the_rows_other_fields() -> None:
    """All text blocks together; the fields as they came."""
    reply = {**message(""), "content": [{"type": "text", "text": "Ho"}, {"type": "text", "text": "la"}]}

    line = result_line(batch(), item(b'{"custom_id":"a","text":"Hi","sku":1.50}', record=3), Succeeded(reply))

    assert from_json(line) == {
        "custom_id": "a",
        "record": 3,
        "output": "Hola",
        "fields": {"sku": 1.5},
        "result": {"type": "succeeded", "message": {**reply, "id": message_id_of("msgbatch_1", 3)}},
    }


def test_a_failed_text_keeps_its_fields_and_has_no_output() -> None:
    """So that a row can be found again, whatever became of it. What became of it stands at the line's end."""
    line = result_line(batch(), item(b'{"custom_id":"a","text":"Hi","sku":1}'), Canceled())

    assert line.endswith(b'"result":{"type":"canceled"}}\n')
    assert from_json(line) == {
        "custom_id": "a",
        "record": 1,
        "output": None,
        "fields": {"sku": 1},
        "result": {"type": "canceled"},
    }


def test_a_bad_item_has_a_result_of_its_own() -> None:
    """There is one line for every record."""
    read = read_item(b"[]", 2, TRANSLATE)
    assert isinstance(read, BadItem)

    line = result_line(batch(), read, Errored(read.error, 0))

    assert from_json(line) == {
        "custom_id": "2",
        "record": 2,
        "output": None,
        "result": {
            "type": "errored",
            "error": {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": "The line must be a JSON object"},
                "request_id": request_id_of("msgbatch_1", 2),
            },
        },
    }


def test_what_was_adapted_stands_in_the_result() -> None:
    """Nothing vanishes in silence (C04); the SDK reads the line all the same."""
    line = result_line(batch(MESSAGES), item(REQUEST, MESSAGES), Succeeded(message("Hi"), "top_k=dropped"))

    assert from_json(line)["adapted"] == "top_k=dropped"
    assert MessageBatchIndividualResponse.model_validate_json(line).custom_id == "a"


def test_an_infinite_number_in_a_reply_does_not_spoil_the_file() -> None:
    """A tool's input may hold 1e999, which no reader of JSON would take back."""
    reply = {**message(""), "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": float("inf")}}]}

    line = result_line(batch(MESSAGES), item(REQUEST, MESSAGES), Succeeded(reply))

    assert from_json(line, allow_inf_nan=False)["result"]["message"]["content"][0]["input"] == {"a": None}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidRequest("no"), {"code": "invalid_request_error", "message": "no", "attempts": 2, "fault": "customer"}),
        (RateLimited("slow"), {"code": "rate_limit_error", "message": "slow", "attempts": 2, "fault": "server"}),
        (UpstreamOverloaded("full"), {"code": "overloaded_error", "message": "full", "attempts": 2, "fault": "server"}),
        (InternalError("ours"), {"code": "api_error", "message": "ours", "attempts": 2, "fault": "server"}),
    ],
)
def test_an_error_line_tells_whose_fault_it_was_and_has_the_item(error: GatewayError, told: dict[str, object]) -> None:
    """An upstream's rate limit is not the customer's doing. The item stands there as it came."""
    row = b'{"custom_id": "a",  "text": "Hi", "n": 1.50}'

    line = error_line(batch(), item(row, record=4), error, 2)

    assert from_json(line) == {"custom_id": "a", "record": 4, "error": told, "item": from_json(row)}
    assert line.endswith(b',"item":' + row + b"}\n")


def submitted_again(line: bytes, job: Job) -> Item | BadItem:
    """What a line's item is after it failed, and its error line came in as record 1 of another batch."""
    read = read_item(line, 9, job)
    error = read.error if isinstance(read, BadItem) else InternalError("x")
    return read_item(error_line(batch(job), read, error, 1).removesuffix(b"\n"), 1, job)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.fixed_dictionaries(
    {}, optional={"custom_id": JSON, "text": JSON | st.text(min_size=1), "params": JSON | st.just(PARAMS), "more": JSON}
)


@settings(deadline=None)
@given(line=ROWS.map(to_json) | JSON.map(to_json) | st.text().map(str.encode) | st.binary())
@pytest.mark.parametrize("job", [MESSAGES, SUMMARIZE, TRANSLATE])
def test_an_error_line_reads_back_as_its_item(job: Job, line: bytes) -> None:
    """Same id, same request, same error: `errors.jsonl` can be submitted as it is."""
    line = line.replace(b"\n", b" ")
    assume(line.strip())  # blank lines are no records
    first, again = read_item(line, 9, job), submitted_again(line, job)

    match first, again:
        case Item(), Item():
            assert (again.custom_id, again.body, again.passed) == (first.custom_id, first.body, first.passed)
        case BadItem(), BadItem():
            assert again.custom_id == first.custom_id
            if is_utf8(line):
                assert (again.error.message, again.error.param) == (first.error.message, first.error.param)
        case _:
            pytest.fail(f"{first} became {again}")


def is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("line", [b'{"text":"caf\xe9"}', b'\xff{"text":"a"}', b'{"text":"a\xed\xa0\x80"}'])
def test_bytes_that_are_no_utf_8_stay_an_error(line: bytes) -> None:
    """No letter is made up for them when the line is submitted again."""
    assert isinstance(submitted_again(line, TRANSLATE), BadItem)


@pytest.mark.parametrize("depth", [100, 189])
def test_a_row_that_can_be_read_can_be_read_inside_of_its_lines(depth: int) -> None:
    """The parser has a limit of depth, and the lines of both files are deeper than the row."""
    row = item(b'{"text":"a","n":%b%b}' % (b"[" * depth, b"]" * depth))

    from_json(result_line(batch(), row, Succeeded(message("b"))))
    assert from_json(error_line(batch(), row, InternalError("x"), 1))["item"] == from_json(row.original)


def test_no_line_of_the_files_has_other_line_ends_inside() -> None:
    r"""White space of the row may be a `\r`, which ends a line for many readers."""
    row = item(b'{"text":\r"a",\r"n":1}')

    line = error_line(batch(), row, InternalError("x"), 1) + result_line(batch(), row, Canceled())

    assert b"\r" not in line
    assert len(line.splitlines()) == 2


def test_an_item_that_was_not_kept_says_so_when_it_is_submitted_again() -> None:
    """Its record's number is kept as its id."""
    again = submitted_again(b" " * (MAX_LINE_BYTES + 1), TRANSLATE)

    assert isinstance(again, BadItem)
    assert (again.custom_id, again.error.message) == (
        "9",
        "The item was too large to be kept in errors.jsonl; submit it from its source",
    )


def test_an_error_line_that_fails_again_is_not_wrapped_twice() -> None:
    """However often it comes in, `item` is the row."""
    read = submitted_again(b'{"text":5}', TRANSLATE)
    assert isinstance(read, BadItem)

    line = error_line(batch(), read, read.error, 0)

    assert from_json(line)["item"] == {"text": 5}
    assert from_json(line)["custom_id"] == "9"


def test_the_manifest_tells_everything_about_the_batch() -> None:
    """Counts, use, cost, times, routes, failures, and the input in its version."""
    ended = batch(
        total=10,
        counts=Counts(succeeded=7, errored=2, canceled=1),
        spent=Spent(input_tokens=100, output_tokens=50, microdollars=1_250_000, calls=12),
        stop="max_cost",
        expected_end_at=1_763_800_060.0,
    )

    told = manifest(ended, routes={"b/m": 2, "a/m": 10}, reasons={"api_error": 2}, ended_at=1_763_800_012.5)

    assert from_json(told) == {
        "batch": "msgbatch_1",
        "owner": "operator",
        "task": "translate",
        "options": dict(TRANSLATE.options),
        "input": {"key": "inbox/translate/es/a.jsonl", "version": "v1", "name": "a.jsonl", "bytes": 440},
        "problem": None,
        "stopped_by": "max_cost",
        "counts": {"total": 10, "succeeded": 7, "errored": 2, "canceled": 1, "expired": 0},
        "usage": {"input_tokens": 100, "output_tokens": 50, "calls": 12, "cost_usd": 1.25},
        "routes": {"a/m": 10, "b/m": 2},
        "failures": {"api_error": 2},
        "created_at": "2025-11-22T08:26:40.000Z",
        "expected_end_at": "2025-11-22T08:27:40.000Z",
        "ended_at": "2025-11-22T08:26:52.500Z",
        "seconds": 12.5,
    }


def test_a_manifest_tells_no_cost_that_nobody_knows() -> None:
    """No model of the calls had a price."""
    unpriced = batch(total=1, spent=Spent(input_tokens=100, output_tokens=50, calls=2, unpriced=2))

    told = from_json(manifest(unpriced, routes={}, reasons={}, ended_at=1_763_800_012.5))

    assert told["usage"] == {"input_tokens": 100, "output_tokens": 50, "calls": 2, "cost_usd": None}
