"""AWS fails for a while, and comes back: nothing is lost, and no item is given up for it. Poison still ends."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from megallm.batches.model import Counts
from megallm.errors import GatewayError, InternalError
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.part_lease import MOST_CRASHES
from tests.batch_fakes import Crash, Process
from tests.operations.batches.harness import Scene, message_lines, repeated, survives
from tests.operations.batches.upstream import Upstream, echo

OUTAGE_SECONDS = 11 * 60
ITEMS = 60


@dataclass
class Failing:
    """Anything of AWS, of which these calls fail while it is *down*."""

    works: Any  # Any: one of the ports
    down: Callable[[], bool]
    calls: frozenset[str] = field(default_factory=frozenset)  # none: all

    def __getattr__(self, name: str) -> Any:  # Any: what the port has under that name
        found = getattr(self.works, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.down() and (not self.calls or name in self.calls):
                raise InternalError("AWS fails")
            return found(*args, **kwargs)

        return call


def s3(ports: BatchPorts, down: Callable[[], bool]) -> BatchPorts:
    return replace(ports, objects=Failing(ports.objects, down))


def s3_writes(ports: BatchPorts, down: Callable[[], bool]) -> BatchPorts:
    return replace(ports, objects=Failing(ports.objects, down, frozenset({"put", "put_new", "writer"})))


def dynamodb(ports: BatchPorts, down: Callable[[], bool]) -> BatchPorts:
    return replace(ports, store=Failing(ports.store, down))


def dynamodb_transactions(ports: BatchPorts, down: Callable[[], bool]) -> BatchPorts:
    """Claims and releases go through."""
    return replace(ports, store=Failing(ports.store, down, frozenset({"checkpoint", "complete", "hold"})))


def sqs(ports: BatchPorts, down: Callable[[], bool]) -> BatchPorts:
    return replace(ports, queues=Failing(ports.queues, down))


def everything(ports: BatchPorts, down: Callable[[], bool]) -> BatchPorts:
    return s3(dynamodb(sqs(ports, down), down), down)


OUTAGES = (s3, s3_writes, dynamodb, dynamodb_transactions, sqs, everything)


def minutes(scene: Scene, ports: BatchPorts, seconds: float, invocation_seconds: float = 900.0) -> None:
    """So long, the schedule runs each minute, and workers take what is in the queue, a process for all of it."""
    until = scene.monotonic() + seconds
    while scene.monotonic() < until and scene.batch().state != "ended":
        messages, scene.world.part_messages = scene.world.part_messages, []
        worker = scene.worker(ports=ports)
        for batch_id, number in messages:
            with suppress(GatewayError):  # its message would come again in an hour and a half
                scene.run(worker.run(batch_id, number, scene.monotonic() + invocation_seconds))
        scene.finish()
        scene.time.seconds += 60
        scene.sweep()


@pytest.mark.parametrize("failing", OUTAGES)
def test_an_outage_of_eleven_minutes_costs_no_item_its_answer(
    failing: Callable[[BatchPorts, Callable[[], bool]], BatchPorts],
) -> None:
    """It begins while a part is worked on. Afterwards every item succeeds, and the batch ends within minutes."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=4, items_a_part=30)
    scene.drop(message_lines(f"text {number}" for number in range(ITEMS)))
    begins = scene.monotonic() + 8

    def down() -> bool:
        return begins <= scene.monotonic() < begins + OUTAGE_SECONDS

    minutes(scene, failing(scene.world.ports(), down), OUTAGE_SECONDS + 600)

    assert scene.batch().state == "ended"
    assert scene.batch().counts == Counts(succeeded=ITEMS)
    assert [told for _, told in scene.results()] == [f"re: text {number}" for number in range(ITEMS)]


def test_an_outage_that_begins_again_and_again_costs_no_item_its_answer() -> None:
    """Each time something was begun, and nothing could be recorded: thirty times, three times what a death may do."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=4)
    scene.drop(message_lines(f"text {number}" for number in range(ITEMS)))
    fails = True
    ports = s3_writes(scene.world.ports(), lambda: fails)

    minutes(scene, ports, 30 * 65)
    failed = scene.world.parts[scene.batch().id][1]
    fails = False
    minutes(scene, ports, 300)

    assert failed.attempt >= 25
    assert failed.deaths == 0
    assert scene.batch().counts == Counts(succeeded=ITEMS)


def test_a_part_that_failed_is_sent_again_by_the_next_schedule() -> None:
    """Its message comes again only after an hour and a half."""
    scene = Scene()
    batch = scene.drop(message_lines(["a"]))
    ports = s3(scene.world.ports(), lambda: True)
    scene.world.part_messages.clear()

    with pytest.raises(InternalError):
        scene.run(scene.worker(ports=ports).run(batch.id, 1))
    scene.sweep()

    assert scene.world.part_messages == [(batch.id, 1)]


def test_a_hand_over_whose_message_is_not_taken_is_sent_by_the_next_schedule() -> None:
    """The part is in no queue then, and with no worker."""
    scene = Scene(upstream=Upstream(seconds=4.0), concurrency=2)
    batch = scene.drop(message_lines(f"text {number}" for number in range(20)))
    scene.world.part_messages.clear()
    ports = sqs(scene.world.ports(), lambda: True)

    with pytest.raises(InternalError):
        scene.run(scene.worker(ports=ports).run(batch.id, 1, scene.monotonic() + 40))
    scene.sweep()

    assert scene.world.part_messages == [(batch.id, 1)]
    assert scene.world.parts[batch.id][1].deaths == 0


def test_an_item_that_kills_whoever_sends_it_ends_as_an_error_also_between_outages() -> None:
    """Deaths are counted over attempts that end in an orderly way, and what is done is kept."""
    kills = {"text 6"}

    def answer(text: str, nth: int) -> Any:  # Any: Reply
        if text in kills:
            raise Crash
        return echo(text, nth)

    scene = Scene(upstream=Upstream(answer, seconds=1.0), concurrency=1)
    batch = scene.drop(message_lines(f"text {number}" for number in range(20)))
    deaths = 0
    while not scene.world.parts[batch.id][1].done:
        scene.world.part_messages[:] = [(batch.id, 1)]
        if not survives(scene.work):
            deaths += 1
            scene.time.seconds += 61
            with pytest.raises(InternalError):
                scene.run(scene.worker(ports=s3(scene.world.ports(), lambda: True)).run(batch.id, 1))
    scene.finish()

    kept = scene.batch().counts.succeeded
    assert kept in (5, 6)
    assert scene.batch().counts == Counts(succeeded=kept, errored=20 - kept)
    assert deaths == MOST_CRASHES + 1  # the first had done some items


def test_deaths_with_something_done_in_between_are_no_poison() -> None:
    """Twice as many workers die as a part may kill, each after a checkpoint: the part goes on, since it goes on."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=1)
    batch = scene.drop(message_lines(f"text {number}" for number in range(150)))
    deaths = 0
    while deaths < 2 * MOST_CRASHES:
        scene.world.part_messages[:] = [(batch.id, 1)]
        process = Process()

        def work(process: Process = process) -> None:
            async def all_of_it() -> None:
                await scene.worker(process).run(batch.id, 1)

            scene.run(all_of_it())

        process.dies_at = 5  # claim, begin, segment, checkpoint: the next segment
        assert not survives(work)
        deaths += 1
        scene.time.seconds += 61
    scene.to_the_end()

    assert scene.batch().counts == Counts(succeeded=150)
    assert repeated(scene.upstream.calls) <= 10 * deaths


def test_who_dies_before_it_carries_out_items_is_no_poison() -> None:
    """While it reads its part, say: that the process was killed there tells nothing about the items."""
    scene = Scene()
    batch = scene.drop(message_lines(["a"]))
    for _ in range(2 * MOST_CRASHES):
        scene.world.part_messages[:] = [(batch.id, 1)]
        assert not survives(lambda: scene.work(Process(2)))  # the claim is the first effect
        scene.time.seconds += 61
    scene.to_the_end()

    assert scene.results() == [("id-1", "re: a")]
