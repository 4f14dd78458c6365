"""What the keys used in a month, over fakes of the stores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from megallm.batches.model import OPERATOR, Batch, Job, Source, Spent
from megallm.errors import NotFound
from megallm.keys import KeyRecord
from megallm.limits.ledger import Used
from megallm.operations.tell_usage import NO_BATCHES, BatchesUsed, KeyUsage, tell_usage, tell_usage_of
from tests.batch_fakes import World
from tests.fakes import KEY_RECORD, MemoryKeys

NOVEMBER = 10
USED = Used(requests=3, input_tokens=60, nanodollars=9)
SPENT = Spent(input_tokens=10, output_tokens=2, microdollars=7, calls=1)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@dataclass
class MemoryLedger:
    """A ``Ledger`` of one month."""

    used: dict[str, Used]

    def of_month(self, month: int) -> dict[str, Used]:
        return self.used if month == NOVEMBER else {}


def batches(owner: str, *submitted: str) -> World:
    world = World()
    for number, moment in enumerate(submitted):
        batch = Batch(f"b{number:03}", owner, Job("messages"), Source("k", "v", "n"), "ended", seconds(moment), 0)
        world.batches[batch.id] = replace(batch, spent=SPENT)
    return world


def told(world: World, used: dict[str, Used], *keys: KeyRecord) -> Sequence[KeyUsage]:
    return tell_usage(MemoryLedger(used), MemoryKeys(*keys), world.ports().store, NOVEMBER)


def test_a_batch_counts_in_the_month_in_which_it_was_submitted() -> None:
    """By UTC, and to the second."""
    world = batches(
        OPERATOR, "2026-10-31T23:59:59", "2026-11-01T00:00:00", "2026-11-30T23:59:59", "2026-12-01T00:00:00"
    )

    assert told(world, {}) == [KeyUsage(OPERATOR, None, Used(), BatchesUsed(2, SPENT.plus(SPENT)))]


def test_the_batches_of_all_pages_count() -> None:
    """Newer months stand before them."""
    world = batches(OPERATOR, *["2026-11-03T00:00:00"] * 150, *["2026-12-03T00:00:00"] * 120)

    (usage,) = told(world, {})

    assert (usage.batches.batches, usage.batches.spent.calls) == (150, 150)


def test_whoever_used_something_is_told_the_keys_by_their_names_first() -> None:
    """Then others, such as a key whose record is gone."""
    other = replace(KEY_RECORD, id="zzzzzzzz", name="a")
    idle = replace(KEY_RECORD, id="idleidle")

    found = told(
        World(), {"anonymous": USED, "gonegone": USED, KEY_RECORD.id: USED, "zzzzzzzz": USED}, KEY_RECORD, other, idle
    )

    assert found == [
        KeyUsage("zzzzzzzz", other, USED, NO_BATCHES),
        KeyUsage(KEY_RECORD.id, KEY_RECORD, USED, NO_BATCHES),
        KeyUsage("anonymous", None, USED, NO_BATCHES),
        KeyUsage("gonegone", None, USED, NO_BATCHES),
    ]


def test_of_one_key_nothing_is_an_answer_too() -> None:
    """But not of one that there is not."""
    stores = MemoryLedger({"others00": USED}), MemoryKeys(KEY_RECORD), World().ports().store

    assert tell_usage_of(*stores, NOVEMBER, KEY_RECORD.id) == KeyUsage(KEY_RECORD.id, KEY_RECORD, Used(), NO_BATCHES)
    with pytest.raises(NotFound):
        tell_usage_of(*stores, NOVEMBER, "others00")
