"""The batches' writes as DynamoDB's requests: each with its named conditions, and how its own effect is known again.

A write may be applied and its answer lost; boto3 then sends it once more, or the caller does. Every condition is such
that the second one fails, and what stands in the table then tells that it was one's own:

    create      the record is there
    claim       ``claimed_by`` is the token of this call
    checkpoint  the attempt is the same, and has one segment more
    complete    ``done_by`` is this attempt
    start, stop, refuse, end      the state is past it
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from megallm.batches.model import Batch, Counts, Part, Spent, StopReason
from megallm.stores.batch_items import (
    COUNTERS,
    SPENT,
    Key,
    batch_key,
    batch_to_item,
    number,
    open_item,
    open_key,
    owner_item,
    owner_key,
    part_key,
    part_to_item,
)

Request = dict[str, Any]  # Any: DynamoDB's JSON
Value = Mapping[str, Any]

_IS_NEW = "attribute_not_exists(#pk)"
_IS_KNOWN = "attribute_exists(#pk)"
_IS_INDEXING = "#state = :indexing"
_IS_IN_PROGRESS = "#state = :in_progress"
_IS_AT_WORK = "#state IN (:in_progress, :canceling)"
_HAS_ENDED = "#state = :ended"
_IS_NOT_STOPPED = "attribute_not_exists(#stop)"
_IS_NOT_DONE = "#done = :false"
_IS_NOT_LEASED = "#leased_until <= :now"
_IS_OF_THIS_ATTEMPT = "#attempt = :attempt"
_HAS_THE_SEGMENTS_SEEN = "#segments = :segments"

_STATES: Mapping[str, Value] = {
    f":{state}": {"S": state} for state in ("indexing", "in_progress", "canceling", "ended")
}
_FALSE: Mapping[str, Value] = {":false": {"BOOL": False}}


def create(batch: Batch) -> list[Request]:
    """A transaction: the record, its place in the owner's list, its place among the open ones."""
    return [
        {"Put": {"Item": batch_to_item(batch), **_where([_IS_NEW])}},
        {"Put": {"Item": owner_item(batch)}},
        {"Put": {"Item": open_item(batch)}},
    ]


def add_parts(batch: Batch, parts: Sequence[Part]) -> list[Request]:
    """A transaction: the batch is still being indexed, and each part is new."""
    check = {"Key": batch_key(batch.id), **_where([_IS_INDEXING], _states(":indexing"))}
    puts = [{"Put": {"Item": part_to_item(part, batch.created_at), **_where([_IS_NEW])}} for part in parts]
    return [{"ConditionCheck": check}, *puts]


def start(batch_id: str, *, total: int, parts: int, lines: str, lines_version: str, stopped: bool) -> Request:
    """From indexing to in_progress; or on to canceling, for one that was found to be *stopped*, which it stays."""
    after = ":canceling" if stopped else ":in_progress"
    return _update(
        batch_key(batch_id),
        f"SET #state = {after}, #total = :total, #parts = :parts, #lines = :lines, #lines_version = :lines_version",
        [_IS_INDEXING] if stopped else [_IS_INDEXING, _IS_NOT_STOPPED],
        {
            **_states(":indexing", after),
            ":total": number(total),
            ":parts": number(parts),
            ":lines": {"S": lines},
            ":lines_version": {"S": lines_version},
        },
    )


def refuse(batch_id: str, problem: str, now: float) -> list[Request]:
    """A transaction: from indexing to ended, and no longer open."""
    update = _update(
        batch_key(batch_id),
        "SET #state = :ended, #problem = :problem, #ended_at = :now",
        [_IS_INDEXING],
        {**_states(":indexing", ":ended"), ":problem": {"S": problem}, ":now": number(now)},
    )
    return [{"Update": update}, {"Delete": {"Key": open_key(batch_id)}}]


def stop(batch_id: str, reason: StopReason, now: float, *, indexing: bool) -> Request:
    """From in_progress to canceling; one that is still indexing is only marked."""
    marks = "SET #stop = :stop, #stop_requested_at = :now"
    values: dict[str, Value] = {":stop": {"S": reason}, ":now": number(now)}
    if indexing:
        return _update(batch_key(batch_id), marks, [_IS_INDEXING, _IS_NOT_STOPPED], {**values, **_states(":indexing")})
    return _update(
        batch_key(batch_id),
        f"{marks}, #state = :canceling",
        [_IS_IN_PROGRESS, _IS_NOT_STOPPED],
        {**values, **_states(":in_progress", ":canceling")},
    )


def end(batch_id: str, now: float) -> list[Request]:
    """A transaction: ended, and no longer open."""
    update = _update(
        batch_key(batch_id),
        "SET #state = :ended, #ended_at = :now",
        [_IS_AT_WORK],
        {**_states(":in_progress", ":canceling", ":ended"), ":now": number(now)},
    )
    return [{"Update": update}, {"Delete": {"Key": open_key(batch_id)}}]


def delete(batch: Batch) -> list[Request]:
    """A transaction: the record and its place in the owner's list go together."""
    return [
        {"Delete": {"Key": batch_key(batch.id), **_where([_HAS_ENDED], _states(":ended"))}},
        {"Delete": {"Key": owner_key(batch)}},
    ]


def queued(batch_id: str, part: int, now: float) -> Request:
    """When a part was last sent."""
    return _update(part_key(batch_id, part), "SET #queued_at = :now", [_IS_KNOWN], {":now": number(now)})


def claim(batch_id: str, part: int, *, now: float, until: float, token: str) -> Request:
    """The next attempt at a part that nobody has."""
    return _update(
        part_key(batch_id, part),
        "SET #attempt = #attempt + :one, #leased_until = :until, #claimed_by = :token",
        [_IS_KNOWN, _IS_NOT_DONE, _IS_NOT_LEASED],
        {**_FALSE, ":one": number(1), ":now": number(now), ":until": number(until), ":token": {"S": token}},
    )


def lease(part: Part, until: float) -> Request:
    """A new end of this attempt's lease."""
    return _update(
        part_key(part.batch_id, part.number),
        "SET #leased_until = :until",
        [_IS_OF_THIS_ATTEMPT, _IS_NOT_DONE],
        {**_FALSE, ":attempt": number(part.attempt), ":until": number(until)},
    )


def checkpoint(part: Part, spent: Spent) -> list[Request]:
    """A transaction: one segment more, and what it cost."""
    counted = _update(
        part_key(part.batch_id, part.number),
        "SET #segments = #segments + :one",
        [_IS_OF_THIS_ATTEMPT, _HAS_THE_SEGMENTS_SEEN, _IS_NOT_DONE],
        {**_FALSE, ":one": number(1), ":attempt": number(part.attempt), ":segments": number(part.segments)},
    )
    return [{"Update": counted}, {"Update": _added(part.batch_id, _numbers(SPENT, spent))}]


def complete(part: Part, counts: Counts, spent: Spent) -> list[Request]:
    """A transaction: the part is done, and counted."""
    done = _update(
        part_key(part.batch_id, part.number),
        "SET #done = :true, #done_by = :attempt, #leased_until = :never",
        [_IS_OF_THIS_ATTEMPT, _IS_NOT_DONE],
        {**_FALSE, ":true": {"BOOL": True}, ":attempt": number(part.attempt), ":never": number(0.0)},
    )
    added = {"parts_done": 1, **_numbers(COUNTERS, counts), **_numbers(SPENT, spent)}
    return [{"Update": done}, {"Update": _added(part.batch_id, added)}]


def _added(batch_id: str, numbers: Mapping[str, int]) -> Request:
    actions = ", ".join(f"#{name} :{name}" for name in numbers)
    values = {f":{name}": number(value) for name, value in numbers.items()}
    return _update(batch_key(batch_id), f"ADD {actions}", [_IS_KNOWN], values)


def _numbers(names: Sequence[str], numbers: Counts | Spent) -> dict[str, int]:
    return {name: getattr(numbers, name) for name in names}


def _states(*names: str) -> dict[str, Value]:
    return {name: _STATES[name] for name in names}


def _update(key: Key, update: str, conditions: Sequence[str], values: Mapping[str, Value]) -> Request:
    request = _where(conditions, values)
    request["ExpressionAttributeNames"].update(_aliases(update))
    return {"Key": key, "UpdateExpression": update, **request}


def _where(conditions: Sequence[str], values: Mapping[str, Value] | None = None) -> Request:
    joined = " AND ".join(conditions)
    request: Request = {"ConditionExpression": joined, "ExpressionAttributeNames": _aliases(joined)}
    if values:
        request["ExpressionAttributeValues"] = dict(values)
    return request


def _aliases(expression: str) -> dict[str, str]:
    """Every name goes as ``#name``: a third of them are DynamoDB's reserved words."""
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
