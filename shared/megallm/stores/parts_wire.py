"""The writes to a part's record, and to its batch's on account of it, as DynamoDB's requests with their conditions.

As with the batch's own writes, each knows its effect again after a lost answer:

    claim       ``claimed_by`` is the token of this call
    hold        the attempt is the same, and holds what it was to hold
    checkpoint  the attempt is the same, and has one segment more
    complete    ``done_by`` is this attempt
    add_late    the name is among the part's ``late``

What a part holds and what its batch has committed change together: ``committed`` is always what was spent and counted,
and what all of its parts hold.
"""

from collections.abc import Collection, Mapping, Sequence

from megallm.batches.model import Counts, Part, Spent
from megallm.stores.batch_expressions import IS_KNOWN, Request, Value, update
from megallm.stores.batch_items import COUNTERS, SPENT, batch_key, number, part_key

_IS_NOT_DONE = "#done = :false"
_IS_NOT_LEASED = "#leased_until <= :now"
_IS_OF_THIS_ATTEMPT = "#attempt = :attempt"
_HAS_THE_SEGMENTS_SEEN = "#segments = :segments"
_HOLDS_WHAT_WAS_SEEN = "#held = :seen"
_HAS_ROOM = "#committed <= :room"

_FALSE: Mapping[str, Value] = {":false": {"BOOL": False}}


def queued(batch_id: str, part: int, now: float) -> Request:
    """When a part was last sent."""
    return update(part_key(batch_id, part), "SET #queued_at = :now", [IS_KNOWN], {":now": number(now)})


def claim(batch_id: str, part: int, *, now: float, until: float, token: str) -> Request:
    """The next attempt at a part that nobody has."""
    return update(
        part_key(batch_id, part),
        "SET #attempt = #attempt + :one, #leased_until = :until, #claimed_by = :token",
        [IS_KNOWN, _IS_NOT_DONE, _IS_NOT_LEASED],
        {**_FALSE, ":one": number(1), ":now": number(now), ":until": number(until), ":token": {"S": token}},
    )


def lease(part: Part, until: float) -> Request:
    """A new end of this attempt's lease."""
    return update(
        part_key(part.batch_id, part.number),
        "SET #leased_until = :until",
        [_IS_OF_THIS_ATTEMPT, _IS_NOT_DONE],
        {**_FALSE, ":attempt": number(part.attempt), ":until": number(until)},
    )


def begin(part: Part, deaths: int, begun_with: int) -> Request:
    """The attempt carries out items."""
    return update(
        part_key(part.batch_id, part.number),
        "SET #deaths = :deaths, #begun_with = :begun_with",
        [_IS_OF_THIS_ATTEMPT, _IS_NOT_DONE],
        {
            **_FALSE,
            ":attempt": number(part.attempt),
            ":deaths": number(deaths),
            ":begun_with": number(begun_with),
        },
    )


def release(part: Part, deaths: int) -> Request:
    """The attempt is over, and holds nothing any more: what it does must be given back with it."""
    return update(
        part_key(part.batch_id, part.number),
        "SET #leased_until = :never, #queued_at = :never, #held = :held, #deaths = :deaths",
        [_IS_OF_THIS_ATTEMPT, _IS_NOT_DONE, _HOLDS_WHAT_WAS_SEEN],
        {
            **_FALSE,
            **_seen(part),
            ":never": number(0.0),
            ":held": number(0),
            ":deaths": number(deaths),
        },
    )


def give_back(part: Part) -> Request:
    """What the part holds is the batch's again."""
    return _added(part.batch_id, {"committed": -part.held})


def hold(part: Part, microdollars: int, limit: int) -> list[Request]:
    """A transaction: the part holds so much more, if the batch has it; less is always possible."""
    kept = update(
        part_key(part.batch_id, part.number),
        "SET #held = :held",
        [_IS_OF_THIS_ATTEMPT, _IS_NOT_DONE, _HOLDS_WHAT_WAS_SEEN],
        {**_FALSE, **_seen(part), ":held": number(part.held + microdollars)},
    )
    added = _added(part.batch_id, {"committed": microdollars})
    if microdollars > 0:
        added = update(
            batch_key(part.batch_id),
            "ADD #committed :committed",
            [_HAS_ROOM],
            {":committed": number(microdollars), ":room": number(limit - microdollars)},
        )
    return [{"Update": kept}, {"Update": added}]


def checkpoint(part: Part, spent: Spent, finished: int, late: Collection[str]) -> list[Request]:
    """A transaction: one segment more, what it cost, and how many items have ended."""
    held = part.held_after(spent.microdollars)
    counted = update(
        part_key(part.batch_id, part.number),
        "SET #segments = #segments + :one, #finished = :finished, #held = :held" + _ADD_LATE[bool(late)],
        [_IS_OF_THIS_ATTEMPT, _HAS_THE_SEGMENTS_SEEN, _IS_NOT_DONE, _HOLDS_WHAT_WAS_SEEN, *_are_new(late)],
        {
            **_FALSE,
            **_seen(part),
            **_late(late),
            ":one": number(1),
            ":segments": number(part.segments),
            ":finished": number(finished),
            ":held": number(held),
        },
    )
    added = {
        "finished": finished - part.finished,
        "committed": spent.microdollars + held - part.held,
        **_numbers(SPENT, spent),
    }
    return [{"Update": counted}, {"Update": _added(part.batch_id, added)}]


def complete(part: Part, counts: Counts, spent: Spent, late: Collection[str]) -> list[Request]:
    """A transaction: the part is done, and counted; it holds nothing any more."""
    done = update(
        part_key(part.batch_id, part.number),
        "SET #done = :true, #done_by = :attempt, #leased_until = :never, #finished = #items, #held = :held"
        + _ADD_LATE[bool(late)],
        [_IS_OF_THIS_ATTEMPT, _IS_NOT_DONE, _HOLDS_WHAT_WAS_SEEN, *_are_new(late)],
        {
            **_FALSE,
            **_seen(part),
            **_late(late),
            ":true": {"BOOL": True},
            ":never": number(0.0),
            ":held": number(0),
        },
    )
    added = {
        "parts_done": 1,
        "finished": part.items - part.finished,
        "committed": spent.microdollars - part.held,
        **_numbers(COUNTERS, counts),
        **_numbers(SPENT, spent),
    }
    return [{"Update": done}, {"Update": _added(part.batch_id, added)}]


def add_late(part: Part, name: str, spent: Spent) -> list[Request]:
    """A transaction: what is called so is counted, and was not before."""
    named = update(
        part_key(part.batch_id, part.number),
        "ADD #late :late",
        [IS_KNOWN, *_are_new([name])],
        _late([name]),
    )
    added = {"committed": spent.microdollars, **_numbers(SPENT, spent)}
    return [{"Update": named}, {"Update": _added(part.batch_id, added)}]


_ADD_LATE = ("", " ADD #late :late")


def _seen(part: Part) -> dict[str, Value]:
    return {":attempt": number(part.attempt), ":seen": number(part.held)}


def _are_new(late: Collection[str]) -> list[str]:
    return [f"NOT contains(#late, :late_{place})" for place, _ in enumerate(late)]


def _late(late: Collection[str]) -> dict[str, Value]:
    if not late:
        return {}
    names: dict[str, Value] = {f":late_{place}": {"S": name} for place, name in enumerate(late)}
    return {**names, ":late": {"SS": list(late)}}


def _added(batch_id: str, numbers: Mapping[str, int]) -> Request:
    actions = ", ".join(f"#{name} :{name}" for name in numbers)
    values = {f":{name}": number(value) for name, value in numbers.items()}
    return update(batch_key(batch_id), f"ADD {actions}", [IS_KNOWN], values)


def _numbers(names: Sequence[str], numbers: Counts | Spent) -> dict[str, int]:
    return {name: getattr(numbers, name) for name in names}
