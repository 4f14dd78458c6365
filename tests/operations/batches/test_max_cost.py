"""A batch that may cost only so much, with several workers at it: what is paid stays within that, and nobody waits for
money that nobody gives back.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from megallm.batches.model import Batch, Counts
from megallm.errors import GatewayError, UpstreamFailed
from megallm.messages.events import Reply, Usage
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.intake_batch import intake_object
from megallm.operations.part_lease import LEASE_SECONDS
from megallm.operations.part_recorder import CHECKPOINT_SECONDS
from megallm.operations.run_part import Worker
from tests.batch_fakes import MemoryBatches, Process
from tests.operations.batches.harness import Scene, in_use, message_lines, survives
from tests.operations.batches.upstream import Upstream, echo
from tests.stores.batch_tables import mocked_client, new_table, store_over

ITEM = 44  # what an item of the echoing upstream costs, in millionths: seven tokens in, three out
WORKERS = 10


def scene_of(items: int, limit: int, *, seconds: float | Callable[[], float] = 0.2, a_part: int = 100) -> Scene:
    """A batch of so many items that may cost *limit* millionths."""
    scene = Scene(upstream=Upstream(seconds=seconds), concurrency=8, items_a_part=a_part)
    scene.drop(message_lines(f"text {number}" for number in range(items)), metadata={"max-cost": f"{limit / 1e6:.6f}"})
    return scene


def all_at_once(scene: Scene, worker_of: Callable[[], Worker] | None = None) -> None:
    """A worker process of its own for every part, all at the same time."""
    messages, scene.world.part_messages = scene.world.part_messages, []

    async def work() -> None:
        workers = [(worker_of or scene.worker)() for _ in messages]
        await asyncio.gather(*(worker.run(*message) for worker, message in zip(workers, messages, strict=True)))

    scene.run(work())


def assert_adds_up(scene: Scene) -> Batch:
    """The ledger is the upstream's count, and nothing is held any more."""
    batch = scene.batch()
    assert batch.spent.calls == len(scene.upstream.calls)
    assert batch.committed == batch.spent.microdollars
    assert {part.held for part in scene.world.parts[batch.id].values()} == {0}
    return batch


@pytest.mark.parametrize("affordable", [0, 1, 8, 100, 300])
def test_many_workers_together_pay_no_more_than_the_batch_may_cost(affordable: int) -> None:
    """B13: ten processes, eight calls in flight in each; what is left is less than another call costs."""
    scene = scene_of(1000, affordable * ITEM + 20)

    all_at_once(scene)
    scene.finish()

    batch = assert_adds_up(scene)
    assert batch.stop == "max_cost"
    # The first call of all begins whatever it may cost: nothing is known of the batch's calls then.
    assert batch.spent.microdollars == max(1, affordable) * ITEM
    assert batch.counts == Counts(succeeded=max(1, affordable), canceled=1000 - max(1, affordable))


def test_on_dynamodb_it_is_the_same() -> None:
    """Four processes, over the real store; of sixty items twenty-five can be paid."""
    scene = Scene(upstream=Upstream(seconds=0.2), concurrency=4, items_a_part=15)
    scene.world.objects["inbox/messages/in.jsonl"] = message_lines(f"text {number}" for number in range(60))
    scene.world.metadata["inbox/messages/in.jsonl"] = {"max-cost": f"{(25 * ITEM + 20) / 1e6:.6f}"}
    with mocked_client() as client:
        store = store_over(client, new_table(client))
        ports = replace(scene.world.ports(), store=store)
        key, rules = "inbox/messages/in.jsonl", scene.rules()
        batch_id = intake_object(ports, key, "", scene.clock(), in_use, rules).id

        all_at_once(scene, lambda: scene.worker(ports=ports))
        all_at_once(scene, lambda: scene.worker(ports=ports))

        batch = store.get(batch_id)
        parts = list(store.parts(batch_id))

    assert batch is not None
    assert batch.stop == "max_cost"
    assert batch.counts == Counts(succeeded=25, canceled=35)
    assert batch.spent.calls == len(scene.upstream.calls) == 25
    assert batch.committed == batch.spent.microdollars == 25 * ITEM
    assert [part.held for part in parts] == [0] * len(parts)


def test_money_that_suffices_is_not_in_the_way() -> None:
    """Every process has all of its calls in flight, and nothing is canceled."""
    scene = scene_of(1000, 2000 * ITEM, seconds=1.0)

    all_at_once(scene)
    scene.finish()

    batch = assert_adds_up(scene)
    assert batch.stop is None
    assert batch.counts == Counts(succeeded=1000)
    assert scene.upstream.most_in_flight == WORKERS * scene.concurrency
    assert scene.monotonic() < 1.5 * 1000 / (WORKERS * scene.concurrency) + 5


def test_a_batch_without_a_limit_holds_nothing() -> None:
    """It pays no write for that."""
    scene = Scene(items_a_part=10)
    scene.drop(message_lines(f"text {number}" for number in range(20)))
    process = Process()

    scene.work(process)

    assert "hold" not in process.effects
    assert process.effects.count("complete") == 2


def test_money_is_held_for_many_calls_at_once() -> None:
    """One write for a block, not one a call."""
    scene = Scene(upstream=Upstream(seconds=0.2))
    scene.drop(message_lines(f"text {number}" for number in range(1000)), metadata={"max-cost": "1000"})
    process = Process()

    scene.work(process)

    assert 1 <= process.effects.count("hold") <= 10
    assert_adds_up(scene)


def test_calls_that_cost_more_than_expected_are_all_that_goes_over() -> None:
    """Replies become ten times as long once a hundred calls have taught what to expect: those in flight go over."""
    scene = scene_of(1000, 300 * ITEM)

    def answer(text: str, nth: int) -> Reply | GatewayError:
        long = len(scene.upstream.calls) > 250
        return replace(echo(text, nth), usage=Usage(input_tokens=7, output_tokens=43 if long else 3))

    scene.upstream.answer = answer
    all_at_once(scene)
    scene.finish()

    batch = assert_adds_up(scene)
    assert batch.stop == "max_cost"
    in_flight = WORKERS * scene.concurrency
    assert 300 * ITEM <= batch.spent.microdollars <= 300 * ITEM + in_flight * (444 - ITEM)


def test_attempts_that_fail_are_paid_for_too() -> None:
    """B13: what a failed call used is taken off what is left for others."""
    scene = scene_of(200, 100 * ITEM, a_part=50)

    def answer(text: str, nth: int) -> Reply | GatewayError:
        if nth == 1:
            failure = UpstreamFailed("It failed")
            failure.usage = Usage(input_tokens=22)  # type: ignore[attr-defined]  # what the fake had spent by then
            return failure
        return echo(text, nth)

    scene.upstream.answer = answer
    all_at_once(scene)
    scene.finish()

    batch = assert_adds_up(scene)
    assert batch.stop == "max_cost"
    assert 98 * ITEM < batch.spent.microdollars <= 100 * ITEM


@pytest.mark.parametrize("effect", range(2, 40, 4))
def test_what_a_dead_worker_held_is_there_for_the_next(effect: int) -> None:
    """Not lost, and not given twice: the ledger ends at the limit, whatever the step at which the worker died."""
    scene = scene_of(60, 40 * ITEM, seconds=1.0, a_part=30)
    batch_id = scene.batch().id
    scene.world.part_messages.clear()

    async def one_dies() -> None:
        dying = scene.worker(Process(effect, "after"))
        await asyncio.gather(dying.run(batch_id, 1), scene.worker().run(batch_id, 2), return_exceptions=True)

    survives(lambda: scene.run(one_dies()))
    scene.to_the_end()

    batch = scene.batch()
    assert batch.committed == batch.spent.microdollars
    assert 39 * ITEM < batch.spent.microdollars <= 40 * ITEM
    # What the dead one had in flight, and what it had done since its last checkpoint.
    assert 0 <= len(scene.upstream.calls) - batch.spent.calls <= scene.concurrency * (1 + CHECKPOINT_SECONDS)


class _Deaf(MemoryBatches):
    """The table of a process that never hears that its lease is over."""

    def renew(self, *_: object, **__: object) -> bool:
        return True


def deaf(scene: Scene) -> BatchPorts:
    """The ports of such a process."""
    return replace(scene.world.ports(), store=_Deaf(scene.world, Process()))


@pytest.mark.parametrize("seconds", [0.7, 3.0, 9.0, 30.0])
def test_what_a_worker_spends_after_its_lease_is_in_the_ledger_once(seconds: float) -> None:
    """It writes on while another one has the part: all that was paid is counted, by the one or by the other."""
    scene = Scene(concurrency=2, upstream=Upstream(seconds=seconds))
    batch = scene.drop(message_lines(f"text {number}" for number in range(160)))
    scene.world.part_messages.clear()
    began = scene.clock()
    late = scene.worker(ports=deaf(scene), clock=lambda: began)

    async def both() -> None:
        zombie = asyncio.create_task(late.run(batch.id, 1))
        await asyncio.sleep(LEASE_SECONDS + 1)
        await asyncio.gather(zombie, scene.worker().run(batch.id, 1))

    scene.run(both())
    scene.to_the_end()

    ended = assert_adds_up(scene)
    assert ended.counts == Counts(succeeded=160)
    assert ended.spent.microdollars == ITEM * (len(scene.upstream.calls) - scene.upstream.cancelled)


def test_what_was_spent_is_in_the_ledger_although_it_cannot_be_written_down() -> None:
    """The bucket is away while the table is not: the items are done again, and both calls are counted."""
    scene = Scene(upstream=Upstream(seconds=0.1))
    batch = scene.drop(message_lines(f"text {number}" for number in range(30)))
    good = scene.world.ports()

    class Away(type(good.objects)):  # type: ignore[misc]  # the fake's own class
        def put_new(self, key: str, body: bytes) -> bool:
            raise UpstreamFailed("S3 is away")

    worker = scene.worker(ports=replace(good, objects=Away(scene.world, Process())))
    with pytest.raises(GatewayError):
        scene.run(worker.run(batch.id, 1))
    assert_adds_up(scene)
    assert len(scene.upstream.calls) == 30

    scene.time.seconds += LEASE_SECONDS + 1
    scene.sweep()
    scene.to_the_end()

    ended = assert_adds_up(scene)
    assert ended.spent.calls == 60
    assert ended.counts == Counts(succeeded=30)
