"""The limiter's items as DynamoDB has them: a write becomes an UpdateItem, an item becomes a state.

    id              the key's id, and #1, #2 … for its further items
    rt, tt          when the requests and the tokens are full again, in nanoseconds since 1970
    lz              lease → its end, in seconds since 1970: a map, so that its size can be a condition
    rq, tq, lq      the ends of the lines of those that were refused for requests, tokens and a slot
    n10 …           the ledger: a figure of a month each. What it is, is the letter (n requests, i input tokens, r and w
                    those that were read from a cache and written to one, o output tokens, c nanodollars); the number
                    is the month's. What is nothing is not there.
    ttl             when DynamoDB may forget the item, in seconds since 1970: after the last of its months was kept

Names are short because DynamoDB bills an item by the kilobyte, names included. Must not know what the writes mean.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from megallm.limits.ledger import Count, Used
from megallm.limits.state import (
    Admit,
    Advance,
    Charge,
    Clock,
    Move,
    Queue,
    Renew,
    Replace,
    Restart,
    Settle,
    State,
    Write,
)

Item = Mapping[str, Any]  # Any: DynamoDB's attribute values
Request = dict[str, Any]

_NAMES: Mapping[Clock, str] = {
    "requests": "rt",
    "tokens": "tt",
    "requests_queue": "rq",
    "tokens_queue": "tq",
    "slots_queue": "lq",
}
_FIGURES: Mapping[str, str] = {
    "requests": "n",
    "input_tokens": "i",
    "cache_read_tokens": "r",
    "cache_write_tokens": "w",
    "output_tokens": "o",
    "nanodollars": "c",
}
_COUNTED = "n"  # each month that has figures has this one
_NEW_KEY = "attribute_not_exists(lz)"
_LEASE_IS_NEW = "attribute_not_exists(lz.#l)"
_LEASE_IS_HELD = "attribute_exists(lz.#l)"
_ROOM_FOR_A_LEASE = "size(lz) < :room"
_KNOWN_KEY = "attribute_exists(lz)"


def to_wire(table: str, item_id: str, write: Write) -> Request:
    """The parameters of UpdateItem. On a failed condition it asks for the item as it was, else for what it became."""
    parts = _Parts()
    match write:
        case Admit(create=True):
            parts.where(_NEW_KEY)
            parts.set(f"rt = {parts.number(_result(write.requests))}")
            parts.set(f"tt = {parts.number(_result(write.tokens))}")
            parts.values[":lz"] = {"M": {write.lease: {"N": str(write.ends)}}}
            parts.set("lz = :lz")
            parts.forget_at(write.forget_at)
        case Admit():
            parts.where(_KNOWN_KEY)  # first: moto fails at the size of a map that is not there
            parts.move("requests", write.requests)
            parts.move("tokens", write.tokens)
            parts.lease(write.lease)
            parts.where(_LEASE_IS_NEW)
            parts.values[":room"] = {"N": str(write.room)}
            parts.where(_ROOM_FOR_A_LEASE)
            parts.set(f"lz.#l = {parts.number(write.ends)}")
            parts.drop(write.dropped)
            parts.forget_at(write.forget_at)
        case Settle():
            parts.lease(write.lease)
            parts.where(_LEASE_IS_HELD)
            parts.set(f"tt = tt + {parts.number(write.tokens_by)}")
            parts.remove("lz.#l")
            parts.count(write.count)
        case Charge():
            parts.where(_KNOWN_KEY)
            parts.set(f"tt = tt + {parts.number(write.tokens_by)}")
            parts.count(write.count)
        case Renew():
            parts.lease(write.lease)
            parts.where(_LEASE_IS_HELD)
            parts.set(f"lz.#l = {parts.number(write.ends)}")
        case Queue():
            parts.where(_KNOWN_KEY)
            for clock, move in write.moves.items():
                parts.move(clock, move)
        case _:
            assert_never(write)
    return parts.request(table, item_id)


def from_wire(item: Item | None) -> State:
    """An item as a state; none as one that does not exist."""
    if not item or "lz" not in item:
        return State(exists=False)
    return State(
        requests=_moment(item, "rt"),
        tokens=_moment(item, "tt"),
        leases={lease: int(ends["N"]) for lease, ends in item["lz"]["M"].items()},
        requests_queue=_moment(item, "rq"),
        tokens_queue=_moment(item, "tq"),
        slots_queue=_moment(item, "lq"),
        months=months_in(item),
    )


def months_in(item: Item) -> frozenset[int]:
    """The months that the item has figures of."""
    return frozenset(int(name[1:]) for name in item if name[0] == _COUNTED and name[1:].isdigit())


def used_in(item: Item, month: int) -> Used:
    """Its figures of one month."""
    found = {name: item.get(f"{letter}{month}") for name, letter in _FIGURES.items()}
    return Used(**{name: int(figure["N"]) for name, figure in found.items() if figure is not None})


class _Parts:
    """The pieces of one UpdateItem, as they come together."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._conditions: list[str] = []
        self._sets: list[str] = []
        self._removes: list[str] = []
        self._adds: list[str] = []

    def number(self, value: int) -> str:
        """A placeholder for a number."""
        placeholder = f":n{len(self.values)}"
        self.values[placeholder] = {"N": str(value)}
        return placeholder

    def where(self, condition: str) -> None:
        self._conditions.append(condition)

    def set(self, action: str) -> None:
        self._sets.append(action)

    def remove(self, path: str) -> None:
        self._removes.append(path)

    def lease(self, lease: str) -> None:
        """``#l`` stands for the lease: an id may begin with a digit, which a path may not."""
        self._names["#l"] = lease

    def forget_at(self, seconds: int) -> None:
        self._names["#ttl"] = "ttl"  # a reserved word
        self.set(f"#ttl = {self.number(seconds)}")

    def move(self, clock: Clock, move: Move) -> None:
        name = _NAMES[clock]
        match move:
            case Restart(passed=passed, to=to):
                self.where(f"(attribute_not_exists({name}) OR {name} <= {self.number(passed)})")
                self.set(f"{name} = {self.number(to)}")
            case Advance(after=after, most=most, by=by):
                self.where(f"{name} > {self.number(after)}")
                self.where(f"{name} <= {self.number(most)}")
                self.set(f"{name} = {name} + {self.number(by)}")
            case Replace(seen=seen, to=to):
                self.where(f"{name} = {self.number(seen)}")
                self.set(f"{name} = {self.number(to)}")
            case _:
                assert_never(move)

    def drop(self, leases: Mapping[str, int]) -> None:
        """Removes leases that are still as they were seen; one that was renewed since keeps its place."""
        for number, (lease, ends) in enumerate(leases.items()):
            self._names[f"#d{number}"] = lease
            self.where(f"lz.#d{number} = {self.number(ends)}")
            self.remove(f"lz.#d{number}")

    def count(self, count: Count | None) -> None:
        """Adds to the ledger; what is not there begins at nothing."""
        if count is None:
            return
        for name, letter in _FIGURES.items():
            figure: int | None = getattr(count.used, name)
            if figure or (name == "nanodollars" and figure is not None):  # a price of nothing is one
                self._adds.append(f"{letter}{count.month} {self.number(figure)}")
            for month in count.dropped:
                self.remove(f"{letter}{month}")

    def request(self, table: str, item_id: str) -> Request:
        update = f"SET {', '.join(self._sets)}"
        if self._removes:
            update += f" REMOVE {', '.join(self._removes)}"
        if self._adds:
            update += f" ADD {', '.join(self._adds)}"
        request: Request = {
            "TableName": table,
            "Key": {"id": {"S": item_id}},
            "UpdateExpression": update,
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeValues": self.values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if self._names:
            request["ExpressionAttributeNames"] = self._names
        return request


def _moment(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _result(move: Move) -> int:
    """What a moment becomes that nothing is stored of."""
    match move:
        case Restart(to=to) | Replace(to=to):
            return to
        case Advance(by=by, after=after):
            return after + by
        case _:
            assert_never(move)
