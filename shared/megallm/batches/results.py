"""The files of a batch, line by line: results, errors, the segments of a part in work, and the manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, assert_never

from pydantic_core import from_json, to_json

from megallm.batches.items import BadItem, Item
from megallm.batches.model import Batch, message_id_of, request_id_of
from megallm.batches.rows import row_of
from megallm.batches.segment_scan import End
from megallm.batches.templates import without_marks
from megallm.errors import CallerError, GatewayError, InvalidRequest, RateLimited, envelope
from megallm.messages.frozen import frozen


@frozen
class Succeeded:
    """``message`` is a body of ``POST /v1/messages``; ``adapted`` what ``megallm-adapted`` says, if anything."""

    message: Mapping[str, object]
    adapted: str | None = None


@dataclass(frozen=True, slots=True)
class Errored:
    """``attempts`` is how many calls were made; 0 where the item could not be sent."""

    error: GatewayError
    attempts: int


@dataclass(frozen=True, slots=True)
class Canceled:
    """Not done, since the batch was canceled or had cost what it may."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Not done within the batch's lifetime."""


Outcome = Succeeded | Errored | Canceled | Expired


def result_line(batch: Batch, item: Item | BadItem, outcome: Outcome) -> bytes:
    """A line of ``results.jsonl``: the SDK's MessageBatchIndividualResponse.

    For texts it also has ``record``, ``output`` (the text; None where there is none) and, where the row has further
    fields, ``fields``. What was adapted for the upstream stands in ``adapted``, as in the header of that name. Ids
    follow from the batch and the record, so that a repetition writes the same bytes.
    """
    line: dict[str, object] = {"custom_id": item.custom_id}
    if batch.job.task != "messages":
        line["record"] = item.record
        line["output"] = _output(item, outcome)
        if isinstance(item, Item) and item.passed:
            line["fields"] = item.passed
    if isinstance(outcome, Succeeded) and outcome.adapted:
        line["adapted"] = outcome.adapted
    line["result"] = _result(batch, item.record, outcome)
    return _line(line)


def _result(batch: Batch, record: int, outcome: Outcome) -> dict[str, object]:
    match outcome:
        case Succeeded(message=message):
            return {"type": "succeeded", "message": {**message, "id": message_id_of(batch.id, record)}}
        case Errored(error):
            return {"type": "errored", "error": envelope(error, request_id_of(batch.id, record))}
        case Canceled():
            return {"type": "canceled"}
        case Expired():
            return {"type": "expired"}
        case _:
            assert_never(outcome)


def _output(item: Item | BadItem, outcome: Outcome) -> str | None:
    if not isinstance(outcome, Succeeded) or not isinstance(item, Item):
        return None
    content = outcome.message.get("content")
    blocks = content if isinstance(content, list | tuple) else ()
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    return without_marks("".join([text for text in texts if isinstance(text, str)]), item.mark)


def error_line(batch: Batch, item: Item | BadItem, error: GatewayError, attempts: int) -> bytes:
    """A line of ``errors.jsonl``: what went wrong, whose fault it was, and the item, fit to be submitted again.

    ``item`` is the row; the text of the line where that is no JSON object; null where it was too large to be kept.
    """
    at_fault = "customer" if isinstance(error, CallerError) and not isinstance(error, RateLimited) else "server"
    told = {"code": error.type, "message": error.message, "attempts": attempts, "fault": at_fault}
    head = to_json({"custom_id": item.custom_id, "record": item.record, "error": told})
    return head[:-1] + b',"item":' + _as_json(item) + b"}\n"


_LEFT_OUT = {
    "canceled": "The batch was stopped before this item was done",
    "expired": "The batch's time was over before this item was done",
}


def left_out_line(item: Item, end: Literal["canceled", "expired"]) -> bytes:
    """A line like those of ``errors.jsonl``, of an item that was never done: fit to be submitted again."""
    told = {"code": end, "message": _LEFT_OUT[end], "attempts": 0, "fault": "customer"}
    head = to_json({"custom_id": item.custom_id, "record": item.record, "error": told})
    return head[:-1] + b',"item":' + _as_json(item) + b"}\n"


def end_of_line(result: bytes) -> End:
    """How the item of a line of ``results.jsonl``, which may lack its end, has ended."""
    line = from_json(result)
    end: End = line["result"]["type"]
    return end


def _as_json(item: Item | BadItem) -> bytes:
    if not item.original:
        return b"null"
    if isinstance(item, Item) or _is_row(item.original):
        # Readers that know more line ends than \n would end the line at a \r, which is white space in JSON.
        return item.original.replace(b"\r", b" ")
    # Bytes that are no UTF-8 become \x.., which is no JSON: what is wrong with the line stays wrong with it.
    return to_json(item.original.decode("utf-8", "backslashreplace"))


def _is_row(line: bytes) -> bool:
    try:
        row_of(line)
    except InvalidRequest:
        return False
    return True


def segment_line(record: int, result: bytes, error: bytes | None) -> bytes:
    """What a checkpoint keeps of one finished record: its lines, and before them their sizes."""
    return b"%d %d %d\n%b%b" % (record, len(result), len(error or b""), result, error or b"")


def manifest(batch: Batch, *, routes: Mapping[str, int], reasons: Mapping[str, int], ended_at: float) -> bytes:
    """``manifest.json``, written last. *routes* are calls by route, *reasons* errored items by what went wrong."""
    counts, spent = batch.counts, batch.spent
    return (
        to_json(
            {
                "batch": batch.id,
                "owner": batch.owner,
                "task": batch.job.task,
                "options": batch.job.options,
                "input": {
                    "key": batch.source.key,
                    "version": batch.source.version,
                    "name": batch.source.name,
                    "bytes": batch.source.size,
                },
                "problem": batch.problem,
                "stopped_by": batch.stop,
                "counts": {
                    "total": batch.total,
                    "succeeded": counts.succeeded,
                    "errored": counts.errored,
                    "canceled": counts.canceled,
                    "expired": counts.expired,
                },
                "usage": {
                    "input_tokens": spent.input_tokens,
                    "output_tokens": spent.output_tokens,
                    "calls": spent.calls,
                    "cost_usd": spent.dollars,
                },
                "routes": dict(sorted(routes.items())),
                "failures": dict(sorted(reasons.items())),
                "created_at": _time(batch.created_at),
                "expected_end_at": None if batch.expected_end_at is None else _time(batch.expected_end_at),
                "ended_at": _time(ended_at),
                "seconds": round(ended_at - batch.created_at, 3),
            },
            indent=2,
        )
        + b"\n"
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(payload: object) -> bytes:
    # A number such as 1e999, which has no word in JSON, would spoil the line for every reader.
    return to_json(payload, inf_nan_mode="null") + b"\n"
