"""Batches and their parts as DynamoDB's items, both ways, and the keys that they have. Pure.

pk              sk                       what
batch#<id>      batch                    the record
batch#<id>      part#000001              a part
owner#<owner>   <created, ms>#<id>       its place in the owner's list
open            <id>                     among those that have not ended, or of whose end nobody was told
"""

from collections.abc import Mapping
from typing import Any, cast, get_args

from pydantic_core import from_json, to_json

from megallm.batches.model import Batch, Counts, Job, Part, Source, Spent, State, StopReason, TaskName

Item = Mapping[str, Any]  # Any: DynamoDB's attribute values
Key = dict[str, Any]

PART_PREFIX = "part#"
OPEN = "open"

# Everything of a batch is forgotten this long after it was made. Results are kept for less; `megallm usage` adds up the
# records of this month and the two before, which are 92 days at most.
KEPT_SECONDS = 100 * 24 * 3600

COUNTERS = ("succeeded", "errored", "canceled", "expired")
SPENT = ("input_tokens", "output_tokens", "microdollars", "calls", "unpriced")


def batch_key(batch_id: str) -> Key:
    """Of the record."""
    return {"pk": {"S": f"batch#{batch_id}"}, "sk": {"S": "batch"}}


def part_key(batch_id: str, number: int) -> Key:
    """Of a part; keys sort as numbers do."""
    return {"pk": {"S": f"batch#{batch_id}"}, "sk": {"S": f"{PART_PREFIX}{number:06}"}}


def owner_key(batch: Batch) -> Key:
    """Of its place in the owner's list, which sorts by time."""
    return {
        "pk": {"S": f"owner#{batch.owner}"},
        "sk": {"S": f"{round(batch.created_at * 1000):013}#{batch.id}"},
    }


def open_key(batch_id: str) -> Key:
    """Of its place among the open ones."""
    return {"pk": {"S": OPEN}, "sk": {"S": batch_id}}


def batch_to_item(batch: Batch) -> dict[str, Any]:
    """The record; what is None has no attribute."""
    item = {
        **batch_key(batch.id),
        "id": text(batch.id),
        "owner": text(batch.owner),
        "task": text(batch.job.task),
        "options": text(to_json(batch.job.options).decode()),
        "source_key": text(batch.source.key),
        "source_version": text(batch.source.version),
        "source_name": text(batch.source.name),
        "source_size": number(batch.source.size),
        "state": text(batch.state),
        "created_at": number(batch.created_at),
        "expires_at": number(batch.expires_at),
        "lines": text(batch.lines),
        "lines_version": text(batch.lines_version),
        "total": number(batch.total),
        "parts": number(batch.parts),
        "parts_done": number(batch.parts_done),
        "finished": number(batch.finished),
        "committed": number(batch.committed),
        "estimated_tokens": number(batch.estimated_tokens),
        "ttl": _ttl(batch.created_at),
        **{name: number(getattr(batch.counts, name)) for name in COUNTERS},
        **{name: number(getattr(batch.spent, name)) for name in SPENT},
    }
    for name in ("max_microdollars", "expected_end_at", "stop_requested_at", "ended_at"):
        if (value := getattr(batch, name)) is not None:
            item[name] = number(value)
    for name in ("stop", "problem"):
        if (value := getattr(batch, name)) is not None:
            item[name] = text(value)
    return item


def batch_from_item(item: Item) -> Batch:
    """The same back."""
    return Batch(
        id=item["id"]["S"],
        owner=item["owner"]["S"],
        job=Job(cast(TaskName, item["task"]["S"]), from_json(item["options"]["S"])),
        source=Source(
            item["source_key"]["S"], item["source_version"]["S"], item["source_name"]["S"], _int(item, "source_size")
        ),
        state=_one_of(State, item["state"]["S"]),
        created_at=float(item["created_at"]["N"]),
        expires_at=float(item["expires_at"]["N"]),
        lines=item["lines"]["S"],
        lines_version=item["lines_version"]["S"],
        total=_int(item, "total"),
        parts=_int(item, "parts"),
        parts_done=_int(item, "parts_done"),
        finished=_int(item, "finished"),
        counts=Counts(*(_int(item, name) for name in COUNTERS)),
        # Records of before it was counted have no ``unpriced``.
        spent=Spent(*(_int(item, name) for name in SPENT if name in item)),
        max_microdollars=_int(item, "max_microdollars") if "max_microdollars" in item else None,
        committed=_int(item, "committed"),
        estimated_tokens=_int(item, "estimated_tokens"),
        expected_end_at=_float(item, "expected_end_at"),
        stop=_one_of(StopReason, item["stop"]["S"]) if "stop" in item else None,
        stop_requested_at=_float(item, "stop_requested_at"),
        ended_at=_float(item, "ended_at"),
        problem=item["problem"]["S"] if "problem" in item else None,
    )


def owner_item(batch: Batch) -> dict[str, Any]:
    """Its place in the owner's list."""
    return {**owner_key(batch), "id": text(batch.id), "ttl": _ttl(batch.created_at)}


def open_item(batch: Batch) -> dict[str, Any]:
    """Its place among the open ones, which it leaves once somebody was told of its end."""
    return {**open_key(batch.id), "id": text(batch.id), "ttl": _ttl(batch.created_at)}


def part_to_item(part: Part, created_at: float) -> dict[str, Any]:
    """A part of a batch that was made at *created_at*; nothing of it was counted late yet."""
    return {
        **part_key(part.batch_id, part.number),
        "id": text(part.batch_id),
        "number": number(part.number),
        "start": number(part.start),
        "end": number(part.end),
        "first": number(part.first),
        "items": number(part.items),
        "duplicates": text(to_json(part.duplicates).decode()),
        "attempt": number(part.attempt),
        "leased_until": number(part.leased_until),
        "queued_at": number(part.queued_at),
        "segments": number(part.segments),
        "finished": number(part.finished),
        "held": number(part.held),
        "deaths": number(part.deaths),
        "begun_with": number(part.begun_with),
        "done": {"BOOL": part.done},
        "ttl": _ttl(created_at),
    }


def part_from_item(item: Item) -> Part:
    """The same back."""
    return Part(
        batch_id=item["id"]["S"],
        number=_int(item, "number"),
        start=_int(item, "start"),
        end=_int(item, "end"),
        first=_int(item, "first"),
        items=_int(item, "items"),
        duplicates=tuple(from_json(item["duplicates"]["S"])),
        attempt=_int(item, "attempt"),
        leased_until=float(item["leased_until"]["N"]),
        queued_at=float(item["queued_at"]["N"]),
        segments=_int(item, "segments"),
        finished=_int(item, "finished"),
        held=_int(item, "held"),
        deaths=_int(item, "deaths"),
        begun_with=_int(item, "begun_with"),
        late=frozenset(item["late"]["SS"]) if "late" in item else frozenset(),
        done=item["done"]["BOOL"],
    )


def number(value: float) -> dict[str, Any]:
    """An attribute value; Python's shortest form of a float has at most 17 of DynamoDB's 38 digits."""
    return {"N": repr(value)}


def text(value: str) -> dict[str, Any]:
    """An attribute value."""
    return {"S": value}


def _ttl(created_at: float) -> dict[str, Any]:
    return number(int(created_at) + KEPT_SECONDS)


def _int(item: Item, name: str) -> int:
    return int(item[name]["N"])


def _float(item: Item, name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None


def _one_of(kind: Any, value: str) -> Any:  # Any: a Literal's own type cannot be written
    if value not in get_args(kind):
        raise ValueError(f"the table has {value!r}, which is none of {get_args(kind)}")
    return value
