"""How a batch is shown."""

from dataclasses import replace
from typing import Any

import pytest

from megallm.batches.model import Batch, Counts, Job, Source, Spent
from megallm.cli.batch_progress import duration, follow, told
from megallm.cli.batch_shown import end_of, row, rows, shown, state_of
from tests.batch_fakes import World

BATCH = Batch(
    id="msgbatch_1",
    owner="operator",
    job=Job("summarize", {"style": "eli5", "model": None}),
    source=Source("uploads/msgbatch_1/a.jsonl", "v1", "a.jsonl", 12_345),
    state="in_progress",
    created_at=1_700_000_000.5,
    expires_at=1_700_086_400.5,
    total=5000,
    parts=5,
    parts_done=1,
    finished=1150,
    counts=Counts(succeeded=990, errored=10),
    spent=Spent(input_tokens=1_000_000, output_tokens=20_000, microdollars=1_234_567, calls=1200),
)

NOW = BATCH.created_at + 100


def test_scripts_get_the_whole_record() -> None:
    """Options that are not given are left out."""
    assert shown(BATCH, NOW) == {
        "id": "msgbatch_1",
        "owner": "operator",
        "task": "summarize",
        "options": {"style": "eli5"},
        "state": "in_progress",
        "stopped_by": None,
        "problem": None,
        "input": {"key": "uploads/msgbatch_1/a.jsonl", "version": "v1", "name": "a.jsonl", "size": 12_345},
        "items": 5000,
        "done": 1150,
        "counts": {"succeeded": 990, "errored": 10, "canceled": 0, "expired": 0},
        "parts": 5,
        "parts_done": 1,
        "usage": {"input_tokens": 1_000_000, "output_tokens": 20_000, "calls": 1200, "cost_usd": 1.234567},
        "created_at": 1_700_000_000.5,
        "expected_end_at": NOW + 100 * 3850 / 1150,
        "expires_at": 1_700_086_400.5,
        "ended_at": None,
    }


def test_people_get_rows() -> None:
    """Of one batch, and a line of the list."""
    assert rows(BATCH, NOW) == [
        ("id", "msgbatch_1"),
        ("owner", "operator"),
        ("task", "summarize"),
        ("file", "a.jsonl"),
        ("state", "in progress"),
        ("items", "5,000, 1,150 done"),
        ("succeeded", "990"),
        ("failed", "10"),
        ("canceled, expired", "0, 0"),
        ("tokens in, out", "1,000,000, 20,000"),
        ("cost", "$1.2346"),
        ("created", "2023-11-14 22:13"),
        ("ended, ~ expected", "~2023-11-14 22:20"),
    ]
    assert row(BATCH, NOW) == (
        *("msgbatch_1", "operator", "summarize", "in progress", "5,000", "1,150", "10", "$1.2346"),
        *("2023-11-14 22:13", "~2023-11-14 22:20", "a.jsonl"),
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"finished": 0}, "-"),
        ({"finished": 0, "expected_end_at": 1_700_003_600.5}, "~2023-11-14 23:13"),
        ({"finished": 1}, "~2023-11-15 22:13"),
        ({"state": "ended", "ended_at": 1_700_000_060.0}, "2023-11-14 22:14"),
    ],
)
def test_the_end_is_told_once_it_is_known_or_can_be_expected(changes: dict[str, Any], told: str) -> None:
    """By the allowance, then by the pace; never after what is not done expires. Then it is the real one."""
    assert end_of(replace(BATCH, **changes), NOW) == told


def test_a_refused_batch_tells_its_problem() -> None:
    """It has ended, and has no items."""
    refused = replace(BATCH, state="ended", problem="There are no items in the file", ended_at=1_700_000_060.0)

    assert rows(refused, NOW)[4:6] == [("state", "refused"), ("problem", "There are no items in the file")]


@pytest.mark.parametrize(
    ("batch", "state"),
    [
        (replace(BATCH, state="canceling", stop="max_cost"), "canceling (max_cost)"),
        (replace(BATCH, state="ended", stop="expired"), "ended (expired)"),
        (replace(BATCH, state="indexing"), "indexing"),
    ],
)
def test_the_state_says_why_a_batch_stops(batch: Batch, state: str) -> None:
    """A batch stops for more than one reason."""
    assert state_of(batch) == state


def test_the_bar_tells_rate_tokens_cost_and_time_left() -> None:
    """The time once there is a rate."""
    assert told(BATCH, 12.34, 3723.4) == "12.3/s  1,020,000 tokens  $1.2346  1:02:03 left"
    assert told(BATCH, 0.0, None) == "0.0/s  1,020,000 tokens  $1.2346"


def test_a_cost_that_nobody_knows_is_no_zero() -> None:
    """The catalogue has no prices of the model: scripts get null, people a dash, everywhere."""
    unpriced = replace(BATCH, spent=Spent(input_tokens=7, output_tokens=3, calls=2, unpriced=2))

    assert shown(unpriced, NOW)["usage"] == {"input_tokens": 7, "output_tokens": 3, "calls": 2, "cost_usd": None}
    assert ("cost", "-") in rows(unpriced, NOW)
    assert row(unpriced, NOW)[7] == "-"
    assert told(unpriced, 0.0, None) == "0.0/s  10 tokens  cost -"


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (3600.0, "1:00:00")])
def test_a_duration_is_a_clock(seconds: float, text: str) -> None:
    """Rounded to seconds."""
    assert duration(seconds) == text


def test_who_waits_is_told_once_that_the_intake_does_not_take_it(capsys: pytest.CaptureFixture[str]) -> None:
    """After two minutes, also where there is no terminal for a bar; and the wait goes on."""
    world = World()
    seconds = 0.0
    said: list[tuple[float, str]] = []

    def sleep(some: float) -> None:
        nonlocal seconds
        seconds += some
        if text := capsys.readouterr().err.strip():
            said.append((seconds, text))
        if seconds == 200:
            world.batches[BATCH.id] = replace(BATCH, state="ended")

    ended = follow(world.ports().store, BATCH.id, sleep, lambda: seconds)

    assert ended.state == "ended"
    assert said == [
        (
            122.0,
            "The intake has not taken it yet; still waiting. Should it stay so, look into the intake's log and its "
            "dead-letter queue; on this machine, whether the gateway runs.",
        )
    ]
