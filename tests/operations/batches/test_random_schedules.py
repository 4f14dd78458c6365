"""Whatever happens to a batch, in whatever order: it ends, and what it has then adds up."""

from collections import Counter
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from megallm.errors import GatewayError, RateLimited, UpstreamFailed, UpstreamTimedOut
from megallm.messages.events import Reply
from tests.batch_fakes import Process
from tests.operations.batches.harness import Scene, message_lines, survives
from tests.operations.batches.upstream import Upstream, echo

ITEMS = 30
TEXTS = [f"text {number}" for number in range(ITEMS)]

Event = tuple[Literal["work", "finish", "sweep", "drop", "cancel", "wait", "double", "lose"], int, bool]

events = st.lists(
    st.tuples(
        st.sampled_from(["work", "work", "work", "finish", "sweep", "drop", "cancel", "wait", "double", "lose"]),
        st.integers(1, 40),
        st.booleans(),
    ),
    max_size=12,
)


def answer(text: str, nth: int) -> Reply | GatewayError:
    """Some fail for a while, one for good; the rest is as usual."""
    number = int(text.split()[1])
    match number % 10:
        case 3 if nth < 3:
            return UpstreamFailed("It failed")
        case 5 if nth == 1:
            return RateLimited("Slowly", headers={"retry-after": "1"})
        case 7 if nth == 1:
            return UpstreamTimedOut("It took too long")
        case 9:
            return UpstreamFailed("It always fails")
        case _:
            return echo(text, nth)


def happen(scene: Scene, event: Event, body: bytes) -> None:
    """One event. Processes may die at their n-th effect; messages come twice, or never."""
    kind, number, after = event
    process = Process(number, "after" if after else "before")
    match kind:
        case "drop":
            survives(lambda: scene.drop(body, process=process))
        case "work":
            messages = list(scene.world.part_messages)
            if not survives(lambda: scene.work(process)):
                scene.world.part_messages += messages
        case "finish":
            survives(lambda: scene.finish(process))
        case "sweep":
            survives(lambda: scene.sweep(process))
        case "wait":
            scene.time.seconds += number * (3600 if after and number > 38 else 20)
        case "double":
            scene.world.part_messages *= 2
        case "lose":
            scene.world.part_messages.clear()
            if any(batch.state != "ended" for batch in scene.world.batches.values()):
                scene.world.finish_messages.clear()
        case "cancel" if number > 30:
            for batch in scene.world.batches.values():
                scene.world.ports().store.stop(batch.id, "canceled", scene.clock())
        case "cancel":
            pass


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=events, concurrency=st.integers(1, 9), items_a_part=st.integers(3, 40))
def test_whatever_happens_a_batch_ends_and_adds_up(events: list[Event], concurrency: int, items_a_part: int) -> None:
    """Each item has one result, in order; counts are those of the lines; the ledger has no call that was not made."""
    scene = Scene(upstream=Upstream(answer, seconds=1.0), concurrency=concurrency, items_a_part=items_a_part)
    body = message_lines(TEXTS)

    for event in events:
        happen(scene, event, body)
    quiet_at = scene.clock()
    scene.drop(body)
    scene.to_the_end()

    batch = scene.batch()
    lines = [from_json(line) for line in scene.file("results.jsonl").splitlines()]
    kinds = Counter(line["result"]["type"] for line in lines)
    counts = batch.counts
    assert [line["custom_id"] for line in lines] == [f"id-{number}" for number in range(1, ITEMS + 1)]
    assert kinds == +Counter(
        succeeded=counts.succeeded, errored=counts.errored, canceled=counts.canceled, expired=counts.expired
    )
    errors = [from_json(line)["custom_id"] for line in scene.file("errors.jsonl").splitlines()]
    assert errors == [line["custom_id"] for line in lines if line["result"]["type"] == "errored"]
    assert batch.spent.calls <= len(scene.upstream.calls)
    assert batch.ended_at is not None
    assert batch.ended_at <= quiet_at + 3600
    assert not [key for key in scene.world.objects if key.startswith("work/") or "/parts/" in key]
    if batch.stop is None:
        assert counts.errored == ITEMS // 10
        assert counts.succeeded == ITEMS - ITEMS // 10
