"""The writes to a batch's record as DynamoDB's requests: each with its named conditions.

A write may be applied and its answer lost; boto3 then sends it once more, or the caller does. Every condition is such
that the second one fails, and what stands in the table then tells that it was one's own:

    create      the record is there
    start, stop, refuse, end      the state is past it
"""

from collections.abc import Mapping, Sequence

from megallm.batches.model import Batch, Part, StopReason
from megallm.stores.batch_expressions import IS_NEW, Request, Value, update, where
from megallm.stores.batch_items import (
    batch_key,
    batch_to_item,
    number,
    open_item,
    open_key,
    owner_item,
    owner_key,
    part_to_item,
)

_IS_INDEXING = "#state = :indexing"
_IS_IN_PROGRESS = "#state = :in_progress"
_IS_AT_WORK = "#state IN (:in_progress, :canceling)"
_HAS_ENDED = "#state = :ended"
_IS_NOT_STOPPED = "attribute_not_exists(#stop)"

_STATES: Mapping[str, Value] = {
    f":{state}": {"S": state} for state in ("indexing", "in_progress", "canceling", "ended")
}


def create(batch: Batch) -> list[Request]:
    """A transaction: the record, its place in the owner's list, its place among the open ones."""
    return [
        {"Put": {"Item": batch_to_item(batch), **where([IS_NEW])}},
        {"Put": {"Item": owner_item(batch)}},
        {"Put": {"Item": open_item(batch)}},
    ]


def add_parts(batch: Batch, parts: Sequence[Part]) -> list[Request]:
    """A transaction: the batch is still being indexed, and each part is new."""
    check = {"Key": batch_key(batch.id), **where([_IS_INDEXING], _states(":indexing"))}
    puts = [{"Put": {"Item": part_to_item(part, batch.created_at), **where([IS_NEW])}} for part in parts]
    return [{"ConditionCheck": check}, *puts]


def start(batch_id: str, found: Mapping[str, Value], *, stopped: bool) -> Request:
    """From indexing to in_progress, or to canceling for one that is *stopped*, which it stays; *found* by the index."""
    after = ":canceling" if stopped else ":in_progress"
    marks = ", ".join(f"#{name} = :{name}" for name in found)
    return update(
        batch_key(batch_id),
        f"SET #state = {after}, {marks}",
        [_IS_INDEXING] if stopped else [_IS_INDEXING, _IS_NOT_STOPPED],
        {**_states(":indexing", after), **{f":{name}": value for name, value in found.items()}},
    )


def refuse(batch_id: str, problem: str, now: float) -> Request:
    """From indexing to ended."""
    return update(
        batch_key(batch_id),
        "SET #state = :ended, #problem = :problem, #ended_at = :now",
        [_IS_INDEXING],
        {**_states(":indexing", ":ended"), ":problem": {"S": problem}, ":now": number(now)},
    )


def stop(batch_id: str, reason: StopReason, now: float, *, indexing: bool) -> Request:
    """From in_progress to canceling; one that is still indexing is only marked."""
    marks = "SET #stop = :stop, #stop_requested_at = :now"
    values: dict[str, Value] = {":stop": {"S": reason}, ":now": number(now)}
    if indexing:
        return update(batch_key(batch_id), marks, [_IS_INDEXING, _IS_NOT_STOPPED], {**values, **_states(":indexing")})
    return update(
        batch_key(batch_id),
        f"{marks}, #state = :canceling",
        [_IS_IN_PROGRESS, _IS_NOT_STOPPED],
        {**values, **_states(":in_progress", ":canceling")},
    )


def end(batch_id: str, now: float) -> Request:
    """From work to ended."""
    return update(
        batch_key(batch_id),
        "SET #state = :ended, #ended_at = :now",
        [_IS_AT_WORK],
        {**_states(":in_progress", ":canceling", ":ended"), ":now": number(now)},
    )


def told(batch_id: str) -> list[Request]:
    """A transaction: one that has ended is no longer open; one of the same id, made anew meanwhile, stays so."""
    check = {"Key": batch_key(batch_id), **where([_HAS_ENDED], _states(":ended"))}
    return [{"ConditionCheck": check}, {"Delete": {"Key": open_key(batch_id)}}]


def delete(batch: Batch) -> list[Request]:
    """A transaction: the record and its places in the lists go together."""
    return [
        {"Delete": {"Key": batch_key(batch.id), **where([_HAS_ENDED], _states(":ended"))}},
        {"Delete": {"Key": owner_key(batch)}},
        {"Delete": {"Key": open_key(batch.id)}},
    ]


def _states(*names: str) -> dict[str, Value]:
    return {name: _STATES[name] for name in names}
