"""What a batch may cost, at its intake: dry runs that tell it, and limits on models without prices."""

import pytest

from tests.operations.batches.harness import Scene, message_lines
from tests.operations.batches.intake import job, manifest_of


def test_a_dry_run_counts_and_calls_nothing() -> None:
    """Items, tokens and price at most are in the manifest; the record says that it cost nothing."""
    scene = Scene()
    body = message_lines(["a" * 400, "b" * 400]) + b"nonsense\n"

    batch = scene.drop(body, metadata={"dry-run": "true"})

    told = manifest_of(scene, batch)
    assert (batch.state, batch.total, batch.spent.calls) == ("ended", 3, 0)
    assert told["counts"]["total"] == 3
    assert told["usage"]["calls"] == 2
    assert told["usage"]["output_tokens"] == 100
    assert told["usage"]["cost_usd"] == pytest.approx(
        (told["usage"]["input_tokens"] * 2 + told["usage"]["output_tokens"] * 10) / 1e6
    )
    assert sum(told["failures"].values()) == 1
    assert scene.upstream.calls == []
    assert scene.world.part_messages == []
    assert scene.world.told == [batch]


def test_a_dry_run_knows_no_cost_of_a_model_without_prices() -> None:
    """Of several models, it tells that of those with prices."""
    scene = Scene()

    unpriced = scene.drop(message_lines(["a"], model="unpriced"), metadata={"dry-run": "true"})
    both = scene.drop(
        message_lines(["a"], model="unpriced") + message_lines(["b"]).replace(b"id-1", b"id-2"),
        metadata={"dry-run": "true"},
    )

    assert manifest_of(scene, unpriced)["usage"]["cost_usd"] is None
    assert manifest_of(scene, both)["usage"]["cost_usd"] > 0


@pytest.mark.parametrize("dry_run", [False, True])
def test_texts_for_a_model_without_prices_cannot_have_a_max_cost(dry_run: bool) -> None:
    """Each of them would be an error, or cost nothing in a dry run."""
    scene = Scene()

    batch = job(scene, items=[{"text": "a"}], options={"model": "unpriced", "max_cost": 1, "dry_run": dry_run})

    assert (batch.state, batch.problem) == ("ended", "max_cost: the catalogue has no prices of unpriced")
    assert scene.world.told == [batch]


def test_without_a_limit_texts_need_no_prices() -> None:
    """And with one, those with prices, or for a model that there is not, are worked on."""
    scene = Scene()

    free = job(scene, "1", items=[{"text": "a"}], options={"model": "unpriced"})
    priced = job(scene, "2", items=[{"text": "a"}], options={"max_cost": 1})
    unknown = job(scene, "3", items=[{"text": "a"}], options={"model": "unknown", "max_cost": 1})

    assert [batch.state for batch in (free, priced, unknown)] == ["in_progress"] * 3


def test_a_dry_run_with_a_limit_tells_of_messages_without_prices() -> None:
    """As the batch itself would; those with prices are counted."""
    scene = Scene()
    body = message_lines(["a"], model="unpriced") + message_lines(["b"]).replace(b"id-1", b"id-2")

    batch = scene.drop(body, metadata={"dry-run": "true", "max-cost": "1"})

    told = manifest_of(scene, batch)
    assert told["usage"]["calls"] == 1
    assert told["failures"] == {"invalid_request_error: max_cost: the catalogue has no prices of unpriced": 1}
