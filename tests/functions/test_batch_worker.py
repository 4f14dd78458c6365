"""The worker as Lambda calls it."""

import asyncio
import json

from functions.batch_intake.entry import IntakeEntry
from functions.batch_worker.entry import WorkerEntry
from megallm.batches.pointers import part_to_wire
from tests.batch_fakes import World
from tests.fakes import ScriptedProvider
from tests.functions.batch_context import Remaining
from tests.functions.batch_events import failures, from_queue, request_line, s3_body, work_in

KEY = "inbox/messages/a.jsonl"


def taken_in(world: World, items: int = 3) -> str:
    """A batch whose parts are queued; its id."""
    world.objects[KEY] = b"".join(request_line(f"id-{number}") for number in range(items))
    IntakeEntry(work_in(world))(from_queue(s3_body(KEY)), None)
    (batch_id,) = world.batches
    return batch_id


def worker_in(world: World, provider: ScriptedProvider | None, loop: asyncio.AbstractEventLoop) -> WorkerEntry:
    return WorkerEntry(work_in(world, provider), loop)


def test_a_part_becomes_its_results_and_the_finisher_is_told(loop: asyncio.AbstractEventLoop) -> None:
    """Within one invocation, if there is time."""
    world = World()
    batch_id = taken_in(world)
    provider = ScriptedProvider()

    answer = worker_in(world, provider, loop)(from_queue(part_to_wire(batch_id, 1)), Remaining())

    results = [json.loads(line) for line in world.objects[f"results/{batch_id}/parts/000001.jsonl"].splitlines()]
    assert answer == failures()
    assert [(line["custom_id"], line["result"]["type"]) for line in results] == [
        ("id-0", "succeeded"),
        ("id-1", "succeeded"),
        ("id-2", "succeeded"),
    ]
    assert (len(provider.calls), world.finish_messages) == (3, [batch_id])


def test_a_part_delivered_twice_is_worked_on_once(loop: asyncio.AbstractEventLoop) -> None:
    """At the same time or afterwards; each item is paid for once."""
    world = World()
    batch_id = taken_in(world)
    provider = ScriptedProvider()
    entry = worker_in(world, provider, loop)
    pointer = part_to_wire(batch_id, 1)

    answers = [entry(from_queue(pointer, pointer), Remaining()), entry(from_queue(pointer), Remaining())]

    assert (answers, len(provider.calls)) == ([failures(), failures()], 3)
    assert world.batches[batch_id].counts.succeeded == 3


def test_an_invocation_without_time_hands_the_part_on(loop: asyncio.AbstractEventLoop) -> None:
    """Nothing is called, and the message that it sends comes to somebody else."""
    world = World()
    batch_id = taken_in(world)
    world.part_messages.clear()
    provider = ScriptedProvider()

    answer = worker_in(world, provider, loop)(from_queue(part_to_wire(batch_id, 1)), Remaining(seconds=5))

    assert (answer, len(provider.calls)) == (failures(), 0)
    assert world.part_messages == [(batch_id, 1)]
    assert world.parts[batch_id][1].leased_until == 0


def test_a_message_of_somebody_else_comes_again_and_the_others_are_done(loop: asyncio.AbstractEventLoop) -> None:
    """Until it is among the dead letters, where a person looks at it; a batch that is gone is no failure."""
    world = World()
    batch_id = taken_in(world)
    event = from_queue("{}", part_to_wire("msgbatch_gone", 1), part_to_wire(batch_id, 1))

    answer = worker_in(world, None, loop)(event, Remaining())

    assert answer == failures("id-1")
    assert world.batches[batch_id].parts_done == 1
