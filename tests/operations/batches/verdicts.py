"""What must be true of a batch that has ended, whatever happened to it on the way."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from megallm.batches.model import lines_key
from megallm.operations.part_recorder import CHECKPOINT_ITEMS
from tests.operations.batches.deaths import Death
from tests.operations.batches.harness import Scene, repeated

# Of a manifest, what times, attempts and cost change.
_CHANGING = frozenset({"usage", "routes", "created_at", "expected_end_at", "ended_at", "seconds"})


def steady(manifest: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """A manifest without times, calls and cost."""
    return {name: value for name, value in manifest.items() if name not in _CHANGING}


def assert_same(disturbed: Scene, undisturbed: Scene) -> None:
    """The files, the counts, and what is in the bucket; and whoever listens was told of that end and of no other."""
    assert disturbed.file("results.jsonl") == undisturbed.file("results.jsonl")
    assert disturbed.file("errors.jsonl") == undisturbed.file("errors.jsonl")
    assert steady(disturbed.manifest()) == steady(undisturbed.manifest())
    assert disturbed.batch().counts == undisturbed.batch().counts
    assert sorted(disturbed.world.objects) == sorted(undisturbed.world.objects)
    assert_told(disturbed)


def assert_adds_up(scene: Scene, ids: Sequence[str]) -> None:
    """A result an item, in order; counts are those of the lines; the ledger has no call that was not made."""
    batch = scene.batch()
    lines = [from_json(line) for line in scene.file("results.jsonl").splitlines()]
    kinds = Counter(line["result"]["type"] for line in lines)
    counts = batch.counts
    assert [line["custom_id"] for line in lines] == list(ids)
    assert kinds == +Counter(
        succeeded=counts.succeeded, errored=counts.errored, canceled=counts.canceled, expired=counts.expired
    )
    assert batch.total == counts.total == len(ids)
    assert scene.manifest()["counts"] == {
        "total": len(ids),
        "succeeded": counts.succeeded,
        "errored": counts.errored,
        "canceled": counts.canceled,
        "expired": counts.expired,
    }
    errors = [from_json(line)["custom_id"] for line in scene.file("errors.jsonl").splitlines()]
    assert errors == [line["custom_id"] for line in lines if line["result"]["type"] == "errored"]
    assert sum(scene.manifest()["failures"].values()) == counts.errored
    assert batch.spent.calls <= len(scene.upstream.calls)
    left = {key for key in scene.world.objects if key.startswith("work/") or "/parts/" in key}
    # The lines of items that were never done stay, to be submitted again; the bucket's lifecycle removes them.
    assert left <= ({lines_key(batch.id)} if counts.canceled or counts.expired else set())
    assert_told(scene)


def assert_told(scene: Scene) -> None:
    """Whoever listens knows the batch as it has ended, at least once and never otherwise."""
    batch = scene.batch()
    assert batch.state == "ended"
    assert scene.world.told
    assert all(told == batch for told in scene.world.told)


def assert_within_the_window(scene: Scene, death: Death) -> None:
    """B03: nothing that was recorded is lost or called again; what is called again, or in no ledger, is bounded."""
    results = scene.file("results.jsonl").splitlines(keepends=True)
    for record, result in death.recorded.items():
        assert results[record - 1] == result
    again = death.again(scene)
    assert not again & death.recorded.keys()
    assert len(again) <= scene.concurrency + CHECKPOINT_ITEMS
    uncounted = len(scene.upstream.calls) - scene.batch().spent.calls
    assert 0 <= uncounted <= scene.concurrency + CHECKPOINT_ITEMS
    assert uncounted <= death.calls - death.told or death.role != "worker"
    if death.role != "worker":
        assert (again, uncounted) == (set(), 0)


def assert_no_more_calls(scene: Scene, undisturbed: Scene) -> None:
    """Nothing was called that an undisturbed run does not call."""
    assert Counter(scene.upstream.calls) == Counter(undisturbed.upstream.calls)
    assert repeated(scene.upstream.calls) == repeated(undisturbed.upstream.calls)
