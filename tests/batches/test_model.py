"""Ids and keys follow from what they belong to, and counts add up."""

from dataclasses import replace

import pytest

from megallm.batches.model import (
    Counts,
    Part,
    Spent,
    batch_id_of,
    lines_key,
    message_id_of,
    part_errors_key,
    part_key,
    request_id_of,
    result_key,
    segment_key,
    segments_prefix,
)

PART = Part("msgbatch_1", number=7, start=0, end=10, first=1, items=3, attempt=2)


def test_the_same_thing_has_the_same_id_and_another_another() -> None:
    """Also where the words are the same and only the borders between them differ; in the shapes of Anthropic's ids."""
    batches = [batch_id_of("s3", "bucket", "key", "v1"), batch_id_of("s3", "bucket", "keyv1", "")]
    items = [of(batch, record) for of in (message_id_of, request_id_of) for batch in batches for record in (1, 2)]

    assert batches[0] == batch_id_of("s3", "bucket", "key", "v1")
    assert len({*batches, *items}) == 10
    assert [len(one.partition("_")[2]) for one in (*batches, *items)] == [24] * 10
    assert [one.partition("_")[0] for one in (batches[0], items[0], items[4])] == ["msgbatch", "msg", "req"]


def test_objects_of_a_batch_lie_where_their_kind_is_kept() -> None:
    """Work is deleted after a week; results stay. The names sort as their numbers do."""
    assert lines_key("msgbatch_1") == "work/msgbatch_1/input.jsonl"
    assert segment_key(PART, 3) == "work/msgbatch_1/000007/0002-000003.jsonl"
    assert segment_key(replace(PART, attempt=10), 0) > segment_key(PART, 999_999)
    assert segment_key(PART, 3).startswith(segments_prefix(PART))
    assert part_key("msgbatch_1", 7) == "results/msgbatch_1/parts/000007.jsonl"
    assert part_errors_key("msgbatch_1", 7) == "results/msgbatch_1/parts/000007.errors.jsonl"
    assert result_key("msgbatch_1", "manifest.json") == "results/msgbatch_1/manifest.json"


def test_counts_and_expenses_add_up() -> None:
    """Field by field."""
    counts = Counts(1, 2, 3, 4).plus(Counts(10, 20, 30, 40))

    assert (counts, counts.total) == (Counts(11, 22, 33, 44), 110)
    assert Spent(1, 2, 3, 4, 5).plus(Spent(10, 20, 30, 40, 50)) == Spent(11, 22, 33, 44, 55)


@pytest.mark.parametrize(
    ("spent", "dollars"),
    [
        (Spent(), 0.0),
        (Spent(microdollars=2_500_000, calls=4), 2.5),
        (Spent(calls=4), 0.0),
        (Spent(microdollars=2_500_000, calls=4, unpriced=3), 2.5),
        (Spent(calls=4, unpriced=4), None),
    ],
)
def test_what_no_call_had_a_price_for_has_no_known_cost(spent: Spent, dollars: float | None) -> None:
    """Nothing costs nothing, and so does a model that is for free; of some calls the known ones are told."""
    assert spent.dollars == dollars
