"""How large numbers are spread over several items."""

from dataclasses import astuple

import pytest

from megallm.keys import MOST, Limits
from megallm.limits.shards import CONCURRENT_PER_ITEM, REQUESTS_PER_ITEM, shards


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        (Limits(50, 100_000, 10), 1),
        (Limits(200, 400_000, 40), 1),
        (Limits(3000, 1_000_000, 50), 1),
        (Limits(3001, 1_000_000, 50), 2),
        (Limits(200, 1_000_000, 51), 2),
        (Limits(60_000, 1_000_000, 1000), 20),
        (Limits(60_000, 1_000_000, 3), 3),  # each item has at least one slot
        (Limits(2, 1_000_000, 500), 2),
        (MOST, 200),
    ],
)
def test_the_number_of_items_follows_from_the_numbers(limits: Limits, count: int) -> None:
    """No item has more than one can carry, as far as each must have some of each."""
    assert len(shards("abcdefgh", limits)) == count


@pytest.mark.parametrize("limits", [Limits(10_007, 99_991, 173), MOST, Limits(7, 7, 7), Limits(3001, 5, 51)])
def test_the_parts_add_up_to_the_whole(limits: Limits) -> None:
    """Never more, and no part is without."""
    parts = [astuple(shard.limits) for shard in shards("abcdefgh", limits)]

    assert tuple(map(sum, zip(*parts, strict=True))) == astuple(limits)
    assert min(min(part) for part in parts) >= 1


def test_no_item_carries_more_than_it_can() -> None:
    """Where the smallest number allows so many items."""
    for shard in shards("abcdefgh", Limits(100_001, 10_000_000, 1999)):
        assert shard.limits.concurrent <= CONCURRENT_PER_ITEM
        assert shard.limits.requests_per_minute <= REQUESTS_PER_ITEM


def test_the_first_item_is_the_keys_own() -> None:
    """So that a key which grows keeps what it has used."""
    ids = [shard.item_id for shard in shards("abcdefgh", Limits(9000, 9000, 3))]

    assert ids == ["abcdefgh", "abcdefgh#1", "abcdefgh#2"]
