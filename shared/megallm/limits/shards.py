"""Spreading one key over several items, where its numbers are more than one item can carry."""

from dataclasses import dataclass
from functools import lru_cache

from megallm.keys import Limits

# DynamoDB writes an item about a thousand times a second, and bills a write by the kilobyte that the item has. Fifty
# leases fit into one, and fifty calls at once do not write more often than that, however short they are.
CONCURRENT_PER_ITEM = 50
REQUESTS_PER_ITEM = 3000  # a minute: a hundred writes a second for those that are admitted and settled


@dataclass(frozen=True, slots=True)
class Shard:
    """An item of the table, and the part of the key's numbers that it counts."""

    item_id: str
    limits: Limits


@lru_cache(maxsize=1024)
def shards(key_id: str, limits: Limits) -> tuple[Shard, ...]:
    """The items of a key: one, as a rule. Their numbers add up to the key's, and each has some of each."""
    wanted = max(
        -(-limits.concurrent // CONCURRENT_PER_ITEM),
        -(-limits.requests_per_minute // REQUESTS_PER_ITEM),
    )
    count = min(wanted, limits.concurrent, limits.requests_per_minute, limits.tokens_per_minute)
    parts = zip(
        _parts(limits.requests_per_minute, count),
        _parts(limits.tokens_per_minute, count),
        _parts(limits.concurrent, count),
        strict=True,
    )
    return tuple(
        Shard(key_id if number == 0 else f"{key_id}#{number}", Limits(requests, tokens, concurrent))
        for number, (requests, tokens, concurrent) in enumerate(parts)
    )


def _parts(whole: int, count: int) -> list[int]:
    return [whole // count + (number < whole % count) for number in range(count)]
