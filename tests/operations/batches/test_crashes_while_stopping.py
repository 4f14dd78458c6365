"""Batches that are canceled, expire or have cost enough while their processes die: what is finished is never lost.

The moment of the stop is another one then, so the files differ from those of an undisturbed run. What they may never
do stands in the verdicts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from megallm.batches.model import Batch, StopReason
from megallm.errors import GatewayError
from megallm.messages.events import Reply
from megallm.operations.part_recorder import CHECKPOINT_ITEMS
from tests.batch_fakes import Process
from tests.operations.batches.deaths import ROLES, WHENS, Death, Role, When, no_death, play, steps
from tests.operations.batches.harness import BEGIN, Scene
from tests.operations.batches.upstream import Upstream
from tests.operations.batches.verdicts import assert_adds_up, assert_within_the_window
from tests.operations.batches.ways_in import IDS, REQUESTS, Arrive, answer, dropped, lines_of

CALL_SECONDS = 2.0
PRICE = 44  # millionths of a dollar a call
BODY = lines_of(REQUESTS)
KEY = "inbox/messages/in.jsonl"


def scene() -> Scene:
    """Three parts of four items; two calls at a time."""
    return Scene(upstream=Upstream(answer, seconds=CALL_SECONDS), concurrency=2, items_a_part=4)


def canceled_at_the_sixth_answer() -> Scene:
    """Someone cancels it then, by another process."""
    made = scene()

    def canceling(text: str, nth: int) -> Reply | GatewayError:
        if len(made.upstream.calls) == 6:
            made.world.ports().store.stop(made.batch().id, "canceled", made.clock())
        return answer(text, nth)

    made.upstream.answer = canceling
    return made


def nearly_over(made: Scene, process: Process | None) -> Batch:
    """It comes when it is to expire in nine seconds: its work begins late."""
    batch = made.drop(BODY, KEY, {}, process)
    made.time.seconds = max(made.time.seconds, batch.expires_at - BEGIN - 9.0)
    return batch


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a batch is stopped on its way."""

    reason: StopReason
    scene: Callable[[], Scene]
    arrive: Arrive


STOPS = {
    "canceled": Stopped("canceled", canceled_at_the_sixth_answer, dropped(KEY, BODY)),
    "expired": Stopped("expired", scene, nearly_over),
    "max_cost": Stopped("max_cost", scene, dropped(KEY, BODY, {"max-cost": str(5 * PRICE / 1e6)})),
}
every_stop = pytest.mark.parametrize("stop", STOPS)


@every_stop
def test_an_undisturbed_stop_is_in_the_middle(stop: str) -> None:
    """What the crashes below fall into: some items are done by then, some are not."""
    stopped = STOPS[stop]
    made = stopped.scene()

    play(made, stopped.arrive, no_death())

    assert_adds_up(made, IDS)
    counts = made.batch().counts
    assert made.batch().stop == made.manifest()["stopped_by"] == stopped.reason
    assert 0 < counts.succeeded < len(IDS) - 2
    assert counts.expired + counts.canceled > 2
    assert made.batch().spent.calls == len(made.upstream.calls)


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("role", ROLES)
@every_stop
def test_a_stopped_batch_adds_up_whatever_dies(stop: str, role: Role, when: When) -> None:
    """Each effect in turn is the last that a process has; what was recorded before it keeps its result."""
    stopped = STOPS[stop]
    deaths: list[Death] = []
    for effect in range(1, steps(stopped.scene, stopped.arrive, role) + 1):
        made, death = stopped.scene(), Death(role, effect, when)
        deaths.append(death)

        play(made, stopped.arrive, death)

        assert death.happened
        assert_adds_up(made, IDS)
        assert_within_the_window(made, death)
        assert_calls_end(stopped, made)
    assert len(deaths) >= 4
    if role == "worker":
        assert any(death.recorded for death in deaths)


def assert_calls_end(stopped: Stopped, made: Scene) -> None:
    """Nothing is begun any more soon after the stop."""
    calls, most = len(made.upstream.calls), made.concurrency
    match stopped.reason:
        case "canceled":
            assert made.batch().stop == "canceled"
            assert calls <= 6 + 2 * most  # a worker asks every two seconds
        case "expired":
            assert made.batch().stop == "expired"
            assert calls <= 5 * most
        case "max_cost":
            # What a dead process had not recorded is in no ledger, and may be spent once more.
            assert made.batch().stop in ("max_cost", None)
            recorded = made.batch().spent.microdollars
            assert recorded <= (5 + most) * PRICE
            assert calls * PRICE <= recorded + (most + CHECKPOINT_ITEMS) * PRICE + 3 * PRICE
