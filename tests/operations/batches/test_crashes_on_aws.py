"""A process dies at its n-th call of S3, DynamoDB or SQS, over the real stores: the files are the same.

Death before a call leaves what death after the one before has left, so each call is the last one that is answered.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydantic_core import from_json

from megallm.operations.part_recorder import CHECKPOINT_ITEMS
from tests.batch_fakes import Process
from tests.operations.batches.deaths import ROLES, VISIBILITY_SECONDS, Death, Role, no_death
from tests.operations.batches.deployed import Clients, Deployed, clients
from tests.operations.batches.harness import Scene, message_lines, repeated, survives
from tests.operations.batches.upstream import Upstream
from tests.operations.batches.verdicts import steady
from tests.operations.batches.ways_in import NO_ITEMS, REQUESTS, answer, lines_of

pytestmark = pytest.mark.slow

KEY = "inbox/messages/in.jsonl"
MANY = 101
BODY = lines_of([*REQUESTS[:6], *NO_ITEMS])
EFFECTS = {"intake": 4, "worker": 8, "finisher": 5}  # at least, so that none is left out unseen


@pytest.fixture(scope="module")
def aws() -> Iterator[Clients]:
    with clients() as made:
        yield made


def deploy(aws: Clients) -> tuple[Scene, Deployed]:
    scene = Scene(upstream=Upstream(answer, seconds=2.0), concurrency=2)
    return scene, Deployed(aws, scene, KEY, BODY)


def play(scene: Scene, deployed: Deployed, death: Death) -> None:
    """As SQS delivers: what died without an end comes again when it is visible again."""

    def until_it_survives(role: Role, work: Callable[[Process], object]) -> None:
        while not survives(lambda: work(death.process(role))):
            scene.time.seconds += VISIBILITY_SECONDS

    until_it_survives("intake", deployed.intake)
    while deployed.batch().state != "ended":
        deployed.deliver()
        assert deployed.part_messages or deployed.finish_messages
        if deployed.part_messages:
            until_it_survives("worker", deployed.work)
        until_it_survives("finisher", deployed.finish)


def calls_of(aws: Clients, role: Role) -> list[str]:
    """The writing calls of an undisturbed process of this role."""
    process = Process()
    _, deployed = deploy(aws)
    deployed.intake(process if role == "intake" else Process())
    deployed.deliver()
    deployed.work(process if role == "worker" else Process())
    deployed.deliver()
    deployed.finish(process if role == "finisher" else Process())
    return process.effects


def told(deployed: Deployed) -> dict[str, object]:
    """The files; of the manifest, what is not another one each time."""
    files: dict[str, object] = dict(deployed.files())
    manifest = steady(from_json(deployed.files()["manifest.json"]))
    return {**files, "manifest.json": {**manifest, "input": {**manifest["input"], "version": ""}}}


@pytest.fixture(scope="module")
def undisturbed(aws: Clients) -> tuple[Scene, dict[str, object]]:
    """The upstream's memory, and the files."""
    scene, deployed = deploy(aws)
    play(scene, deployed, no_death())
    return scene, told(deployed)


@pytest.mark.parametrize("role", ROLES)
def test_a_death_at_any_call_changes_nothing(
    aws: Clients, role: Role, undisturbed: tuple[Scene, dict[str, object]]
) -> None:
    """Its message comes again, and every part's message comes twice."""
    calls = calls_of(aws, role)
    assert len(calls) >= EFFECTS[role], calls

    for number in range(1, len(calls) + 1):
        scene, deployed = deploy(aws)
        death = Death(role, number, "after")

        play(scene, deployed, death)

        other, files = undisturbed
        batch = deployed.batch()
        assert death.happened
        assert told(deployed) == files
        assert (batch.total, batch.counts.succeeded, batch.counts.errored) == (8, 4, 4)
        assert {told.id for told in scene.world.told} == {batch.id}
        again = repeated(scene.upstream.calls) - repeated(other.upstream.calls)
        assert 0 <= again <= scene.concurrency + CHECKPOINT_ITEMS
        assert 0 <= len(scene.upstream.calls) - batch.spent.calls <= again
        assert again == 0 or role == "worker"


@pytest.mark.parametrize(("effect", "call"), [(2, "TransactWriteItems"), (13, "SendMessageBatch")])
def test_an_intake_that_dies_between_two_requests_of_one_step_loses_no_part(
    aws: Clients, effect: int, call: str
) -> None:
    """More parts than a transaction records (99), a message batch carries (10) and a sending takes (100)."""
    body = message_lines(f"text {number}" for number in range(MANY))
    scene = Scene(items_a_part=1)
    deployed = Deployed(aws, scene, KEY, body)
    doomed = Process(effect, "after")

    survived = survives(lambda: deployed.intake(doomed))
    scene.time.seconds += VISIBILITY_SECONDS
    batch = deployed.intake(Process())
    deployed.deliver()

    in_memory = Scene(items_a_part=1)
    other = in_memory.drop(body)
    expected = [replace(part, batch_id=batch.id) for part in in_memory.world.ports().store.parts(other.id)]
    parts = list(deployed.ports().store.parts(batch.id))
    assert (survived, doomed.effects[-1]) == (False, call)
    assert (batch.state, batch.total, batch.parts) == ("in_progress", MANY, MANY)
    assert [replace(part, queued_at=0.0) for part in parts] == [replace(part, queued_at=0.0) for part in expected]
    assert {number for _, number in deployed.part_messages} == set(range(1, MANY + 1))
