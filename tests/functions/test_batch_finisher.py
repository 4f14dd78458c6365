"""The finisher as Lambda calls it: by its queue, and each minute."""

import asyncio
import json
from dataclasses import replace

from functions.batch_finisher.entry import FinisherEntry
from functions.batch_worker.entry import WorkerEntry
from megallm.batches.pointers import finish_to_wire, part_to_wire
from tests.batch_fakes import World
from tests.functions.batch_context import Remaining
from tests.functions.batch_events import SCHEDULED, failures, from_queue, work_in
from tests.functions.test_batch_worker import taken_in


def worked_off(world: World, loop: asyncio.AbstractEventLoop) -> str:
    """A batch whose parts are done; its id."""
    batch_id = taken_in(world)
    WorkerEntry(work_in(world), loop)(from_queue(part_to_wire(batch_id, 1)), Remaining())
    return batch_id


def test_a_batch_whose_parts_are_done_is_finished_and_told_of(loop: asyncio.AbstractEventLoop) -> None:
    """Delivered twice, its files are the same; it may be told twice."""
    world = World()
    batch_id = worked_off(world, loop)
    entry = FinisherEntry(work_in(world))

    answers = [entry(from_queue(finish_to_wire(batch_id)), None) for _ in range(2)]

    results = [json.loads(line) for line in world.objects[f"results/{batch_id}/results.jsonl"].splitlines()]
    assert answers == [failures(), failures()]
    assert [line["custom_id"] for line in results] == ["id-0", "id-1", "id-2"]
    assert world.batches[batch_id].state == "ended"
    assert {batch.id for batch in world.told} == {batch_id}


def test_the_schedule_finishes_a_batch_whose_message_was_lost(loop: asyncio.AbstractEventLoop) -> None:
    """The schedule's event has no records."""
    world = World()
    batch_id = worked_off(world, loop)
    world.finish_messages.clear()

    entry = FinisherEntry(work_in(world))
    answer = entry(SCHEDULED, None)
    entry(from_queue(*map(finish_to_wire, world.finish_messages)), None)

    assert (answer, world.batches[batch_id].state) == ({}, "ended")


def test_the_schedule_sends_parts_that_were_never_sent() -> None:
    """An intake that died between the record and the queue."""
    world = World()
    batch_id = taken_in(world)
    world.parts[batch_id][1] = replace(world.parts[batch_id][1], queued_at=0.0)
    world.part_messages.clear()

    FinisherEntry(work_in(world))(SCHEDULED, None)

    assert world.part_messages == [(batch_id, 1)]


def test_a_message_of_somebody_else_comes_again() -> None:
    """A batch that is not there is no failure: there is nothing to be done."""
    world = World()

    answer = FinisherEntry(work_in(world))(from_queue("[]", finish_to_wire("msgbatch_gone")), None)

    assert answer == failures("id-1")
