"""Parts through the worker, and runs of the schedule, for the tests of the metrics."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from functions.batch_finisher.entry import FinisherEntry
from functions.batch_intake.entry import IntakeEntry
from functions.batch_worker.entry import WorkerEntry
from megallm.batches.pointers import part_to_wire
from megallm.composition.batches import BatchWork, Owners
from megallm.limits.tiers import load
from megallm.operations.gateway import Gateway
from tests.batch_fakes import World
from tests.functions.batch_context import Remaining
from tests.functions.batch_events import SCHEDULED, from_queue, request_line, s3_body
from tests.telemetry.handled import keys


def batch_work(world: World, gateway: Gateway) -> BatchWork:
    """As the composition root makes it."""
    ports = world.ports()
    return BatchWork(replace(gateway, batches=ports), ports, Owners(keys(), load(), None))


def taken_in(gateway: Gateway, items: Sequence[str], owner: str | None, world: World) -> None:
    """A file of these items, dropped by the operator or into a key's folder, through the intake."""
    key = f"inbox/{f'keys/{owner}/' if owner else ''}messages/a.jsonl"
    world.objects[key] = b"".join(request_line(f"id-{number}", text) for number, text in enumerate(items))
    IntakeEntry(batch_work(world, gateway))(from_queue(s3_body(key)), None)


def work_off(gateway: Gateway, items: Sequence[str], owner: str | None, loop: asyncio.AbstractEventLoop) -> None:
    """The same, and through the worker."""
    world = World()
    taken_in(gateway, items, owner, world)
    pointers = [part_to_wire(batch_id, number) for batch_id, number in world.part_messages]
    WorkerEntry(batch_work(world, gateway), loop)(from_queue(*pointers), Remaining())


def tick(gateway: Gateway, world: World | None = None) -> None:
    """The schedule."""
    FinisherEntry(batch_work(world or World(), gateway))(SCHEDULED, None)
