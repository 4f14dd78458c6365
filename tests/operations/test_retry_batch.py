"""The items without success of a batch, as a batch of their own."""

import gzip
from dataclasses import replace

import pytest
from pydantic_core import from_json, to_json

from megallm.batches.job_message import parse_job
from megallm.batches.model import LIFETIME_SECONDS, Counts, StopReason, lines_key, result_key
from megallm.errors import GatewayError, InvalidRequest, UpstreamFailed
from megallm.messages.events import Reply
from megallm.operations.intake_batch import intake_job
from megallm.operations.retry_batch import retry_failed
from megallm.operations.upload_batch import Submitted
from tests.operations.batches.harness import Scene, in_use, message_lines
from tests.operations.batches.upstream import Upstream, echo

TEXTS = [f"text {number}" for number in range(30)]


def fails(text: str, nth: int) -> Reply | GatewayError:
    return UpstreamFailed("It failed") if text.endswith("3") else echo(text, nth)


def stopped(body: bytes, key: str = "inbox/messages/in.jsonl", reason: StopReason = "canceled") -> Scene:
    """A batch that ended with some items done, some failed, and some never begun, in three parts."""
    scene = Scene(upstream=Upstream(fails, seconds=1.0), concurrency=2, items_a_part=10)
    batch = scene.drop(body, key)
    messages, scene.world.part_messages = scene.world.part_messages, []
    scene.world.part_messages = messages[:1]
    scene.work()
    if reason == "expired":
        scene.time.seconds += LIFETIME_SECONDS
    scene.world.ports().store.stop(batch.id, reason, scene.clock())
    scene.world.part_messages = messages[1:]
    scene.work()
    scene.finish()
    assert scene.batch().counts.succeeded == 9
    return scene


def run_again(scene: Scene) -> tuple[str, list[tuple[str, str]]]:
    """The batch that the retry made, and how each of its items ended."""
    submitted = retry_failed(scene.world.ports(), next(iter(scene.world.batches)))
    scene.upstream.answer = echo
    message = parse_job(scene.world.job_messages.pop().encode())
    batch = intake_job(scene.world.ports(), message, "sqs-1", scene.clock(), in_use, scene.rules())
    assert batch.id == submitted.batch_id
    scene.to_the_end()
    lines = [from_json(line) for line in scene.world.objects[result_key(batch.id, "results.jsonl")].splitlines()]
    return batch.id, [(line["custom_id"], line["result"]["type"]) for line in lines]


@pytest.mark.parametrize("reason", ["canceled", "expired"])
def test_items_that_were_never_done_are_submitted_again_with_those_that_failed(reason: StopReason) -> None:
    """In the order of the input, each once, and nothing that has succeeded."""
    scene = stopped(message_lines(TEXTS), reason=reason)

    batch_id, ended = run_again(scene)

    assert ended == [(f"id-{number}", "succeeded") for number in (4, *range(11, 31))]
    assert scene.world.batches[batch_id].counts == Counts(succeeded=21)


def test_rows_without_an_id_keep_the_number_that_they_went_by() -> None:
    """Their results can be put beside those of the first batch."""
    rows = b"".join(
        to_json({"params": from_json(line)["params"]}) + b"\n" for line in message_lines(TEXTS).splitlines()
    )

    _, ended = run_again(stopped(rows))

    assert [custom_id for custom_id, _ in ended] == [str(number) for number in (4, *range(11, 31))]


def test_what_was_converted_is_kept_as_long_as_something_of_it_was_not_done() -> None:
    """The lines of a gzip file are all that parts are read from; a batch that was done has no use for them."""
    packed = gzip.compress(message_lines(TEXTS), mtime=0)
    scene = stopped(packed, "inbox/messages/in.jsonl.gz")
    first = scene.batch().id

    batch_id, ended = run_again(scene)

    assert [custom_id for custom_id, _ in ended] == [f"id-{number}" for number in (4, *range(11, 31))]
    assert [key for key in scene.world.objects if key.startswith("work/")] == [lines_key(first)]
    assert scene.world.batches[batch_id].counts.total == 21


def test_an_input_that_is_gone_is_told() -> None:
    """What failed could still be had from errors.jsonl; but nobody should take that for all."""
    scene = stopped(message_lines(TEXTS))
    del scene.world.objects["inbox/messages/in.jsonl"]

    with pytest.raises(InvalidRequest, match="20 of its items were never done"):
        retry_failed(scene.world.ports(), scene.batch().id)

    assert scene.world.job_messages == []


def test_who_came_without_a_key_is_helped_by_the_operator() -> None:
    """A batch of the local stack's anonymous user: its owner is none that a job message may name."""
    scene = stopped(message_lines(TEXTS))
    batch = scene.batch()
    scene.world.batches[batch.id] = replace(batch, owner="anonymous")

    batch_id, ended = run_again(scene)

    assert scene.world.batches[batch_id].owner == "operator"
    assert len(ended) == 21


def test_asked_again_it_is_the_same_batch_whatever_became_of_the_input() -> None:
    """Nothing is uploaded then."""
    scene = stopped(message_lines(TEXTS))
    first = scene.batch().id
    batch_id, _ = run_again(scene)
    scene.world.objects = {key: body for key, body in scene.world.objects.items() if not key.startswith("inbox/")}
    before = dict(scene.world.objects)

    again = retry_failed(scene.world.ports(), first)

    assert (again.batch_id, again.is_new) == (batch_id, False)
    assert scene.world.objects == before


def test_a_retry_that_was_refused_stands_in_the_way_of_no_other() -> None:
    """Just then, too much else of its owner's was open; the next day it is a batch of its own, and that one again."""
    scene = stopped(message_lines(TEXTS))
    first = next(iter(scene.world.batches))
    ports = scene.world.ports()
    no_room = replace(scene.rules(), tokens_a_minute=lambda owner: 1)

    refused = retry_failed(ports, first)
    message = parse_job(scene.world.job_messages.pop().encode())
    problem = intake_job(ports, message, "sqs-1", scene.clock(), in_use, no_room).problem
    second = retry_failed(ports, first)
    message = parse_job(scene.world.job_messages.pop().encode())
    batch = intake_job(ports, message, "sqs-2", scene.clock(), in_use, scene.rules())
    again = retry_failed(ports, first)

    assert problem is not None
    assert second.is_new
    assert refused.batch_id != second.batch_id == batch.id
    assert (batch.state, batch.total) == ("in_progress", 21)
    assert again == Submitted(batch.id, is_new=False)


def test_a_batch_that_was_refused_says_why_there_is_nothing_to_try_again() -> None:
    """Not that no item of it failed."""
    scene = Scene()
    batch = scene.drop(b"x", "inbox/messages/picture.png")

    with pytest.raises(InvalidRequest) as caught:
        retry_failed(scene.world.ports(), batch.id)

    assert batch.problem is not None
    assert caught.value.message == (
        f"The batch {batch.id} was refused as a whole, so none of its items can be tried again: submit its input anew."
        f" It was refused because: {batch.problem}"
    )
