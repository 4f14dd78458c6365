"""`megallm usage` against a local AWS, and what a wrong option is told."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from typer.testing import CliRunner, Result

from megallm.batches.model import OPERATOR, Batch, Job, Source, Spent, batch_id_of
from megallm.cli.app import app
from megallm.cli.usage_shown import rows, shown
from megallm.keys import ANONYMOUS_ID, KeyRecord
from megallm.limits.ledger import Count, Used, month_at, month_written
from megallm.limits.state import Admit, Restart, Settle
from megallm.local import aws
from megallm.local.isolation import REGION, local_target
from megallm.local.state import LocalState, StateFolder
from megallm.operations.tell_usage import BatchesUsed, KeyUsage
from megallm.stores.batches import DynamoBatches
from megallm.stores.batches_table import BatchesTable
from megallm.stores.keys import DynamoKeys
from megallm.stores.limits_wire import to_wire
from tests.fakes import KEY
from tests.local.running import megallm

NOW = time.time()
MONTH = month_at(NOW)
USED = Used(
    requests=2,
    input_tokens=1_200_000,
    cache_read_tokens=200,
    cache_write_tokens=100,
    output_tokens=80,
    nanodollars=15_210_000,
)
UNPRICED = Used(requests=1, output_tokens=7)
LAST_MONTH = Used(requests=5, input_tokens=50)
TEAM = KeyRecord("abcdefgh", "0" * 64, "team a", "pro", created_at=100)
IDLE = KeyRecord("ijklmnop", "0" * 64, "", "basic", created_at=100)

NO_MESSAGES = dict.fromkeys(("requests", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"), 0)
NO_BATCHES = {"batches": 0, "calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of an AWS with what two keys, the operator and somebody without a key used, and its clone."""
    local_aws = aws.start()
    try:
        resources = local_aws.create_resources()
        url = local_aws.endpoint_url
        folder = tmp_path_factory.mktemp("usage")
        state = StateFolder(folder / ".megallm")
        state.create()
        names = ("megallm-keys", resources.bucket, resources.queues)
        state.save(LocalState(url, KEY, url, REGION, *names, "tiny", os.getpid()))
        client = local_target(url).dynamodb()
        for record in (TEAM, IDLE):
            DynamoKeys(client, "megallm-keys").put(record)
        _count(client, "abcdefgh", Count(MONTH - 1, LAST_MONTH))
        _count(client, "abcdefgh#1", Count(MONTH, USED))
        _count(client, ANONYMOUS_ID, Count(MONTH, UNPRICED))
        batches = DynamoBatches(BatchesTable(lambda: client, "megallm-batches"))
        for number in range(2):
            batches.create(_batch(number, "abcdefgh", NOW))
        batches.create(_batch(2, OPERATOR, NOW))
        batches.create(_batch(3, OPERATOR, NOW - 70 * 86_400))
        yield url, folder
    finally:
        local_aws.stop()


def _count(client: Any, item_id: str, count: Count) -> None:
    for write in (Admit("l", 9, Restart(0, 1), Restart(0, 1), 5, {}, 100, create=True), Settle("l", 0, count)):
        client.update_item(**to_wire("megallm-limits", item_id, write))


def _batch(number: int, owner: str, created_at: float) -> Batch:
    return Batch(
        id=batch_id_of(str(number)),
        owner=owner,
        job=Job("summarize"),
        source=Source("inbox/x.txt", "v", "x.txt"),
        state="in_progress",
        created_at=created_at,
        expires_at=created_at + 86_400,
        spent=Spent(input_tokens=1000, output_tokens=10, microdollars=2500, calls=4),
    )


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")


def _usage(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["usage", "--region", "us-east-1", "--endpoint-url", url, *arguments])


def _cells(text: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


def test_each_key_has_a_row_for_its_messages_and_one_for_its_batches(stack: tuple[str, Path]) -> None:
    """Then the operator's batches, and those without a key; who used nothing has none."""
    ended = _usage(stack[0])

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert _cells(ended.stdout) == [
        [f"{month_written(MONTH)} (UTC), so far"],
        ["id", "name", "tier", "of", "requests", "input tokens", "output tokens", "cost"],
        ["abcdefgh", "team a", "pro", "messages", "2", "1,200,000", "80", "$0.0152"],
        ["abcdefgh", "team a", "pro", "2 batches", "8", "2,000", "20", "$0.0050"],
        ["anonymous", "-", "-", "messages", "1", "0", "7", "-"],
        ["operator", "-", "-", "1 batch", "4", "1,000", "10", "$0.0025"],
        ["total", "15", "1,203,000", "117", "$0.0227"],
    ]


def test_batches_of_models_without_prices_have_no_known_cost() -> None:
    """As messages of such models; the total has what is known, or nothing at all."""
    unpriced = BatchesUsed(1, Spent(input_tokens=1000, output_tokens=10, calls=4, unpriced=4))
    priced = BatchesUsed(1, Spent(input_tokens=1000, output_tokens=10, microdollars=2500, calls=4))
    one, other = (KeyUsage(OPERATOR, None, Used(), used) for used in (unpriced, priced))

    assert [row[-1] for row in rows([one])] == ["-", "-"]
    assert [row[-1] for row in rows([one, other])] == ["-", "$0.0025", "$0.0025"]
    assert from_json(to_json(shown([one])))["total"]["batches"] == {
        "batches": 1,
        "calls": 4,
        "input_tokens": 1000,
        "output_tokens": 10,
        "cost_usd": None,
    }


def test_a_script_gets_every_figure(stack: tuple[str, Path]) -> None:
    """Tokens of caches, too; what has no price is null."""
    ended = _usage(stack[0], "--json")

    messages = {
        "requests": 2,
        "input_tokens": 1_200_000,
        "cache_read_tokens": 200,
        "cache_write_tokens": 100,
        "output_tokens": 80,
        "cost_usd": 0.01521,
    }
    anonymous = {**NO_MESSAGES, "requests": 1, "output_tokens": 7, "cost_usd": None}
    batch = {"batches": 1, "calls": 4, "input_tokens": 1000, "output_tokens": 10, "cost_usd": 0.0025}
    two = {"batches": 2, "calls": 8, "input_tokens": 2000, "output_tokens": 20, "cost_usd": 0.005}
    three = {"batches": 3, "calls": 12, "input_tokens": 3000, "output_tokens": 30, "cost_usd": 0.0075}
    nothing = {**NO_MESSAGES, "cost_usd": None}
    assert from_json(ended.stdout) == {
        "month": month_written(MONTH),
        "keys": [
            {"id": "abcdefgh", "name": "team a", "tier": "pro", "messages": messages, "batches": two},
            {"id": "anonymous", "name": None, "tier": None, "messages": anonymous, "batches": NO_BATCHES},
            {"id": "operator", "name": None, "tier": None, "messages": nothing, "batches": batch},
        ],
        "total": {"messages": {**messages, "requests": 3, "output_tokens": 87}, "batches": three},
    }


def test_another_month_of_one_key(stack: tuple[str, Path]) -> None:
    """It has ended, so its figures are whole."""
    ended = _usage(stack[0], "--key", "abcdefgh", "--month", month_written(MONTH - 1))

    assert _cells(ended.stdout) == [
        [f"{month_written(MONTH - 1)} (UTC)"],
        ["id", "name", "tier", "of", "requests", "input tokens", "output tokens", "cost"],
        ["abcdefgh", "team a", "pro", "messages", "5", "50", "0", "-"],
        ["total", "5", "50", "0", "-"],
    ]


def test_a_key_that_used_nothing_is_shown_if_it_is_asked_for(stack: tuple[str, Path]) -> None:
    """As such."""
    ended = _usage(stack[0], "--key", "ijklmnop")

    assert _cells(ended.stdout)[2] == ["ijklmnop", "-", "basic", "messages", "0", "0", "0", "-"]


@pytest.mark.parametrize("month", ["2026-13", "november", month_written(MONTH + 1), month_written(MONTH - 3)])
def test_a_month_that_is_not_kept_is_refused_with_those_that_are(month: str) -> None:
    """Before AWS is asked."""
    ended = CliRunner().invoke(app, ["usage", "--month", month], env={"COLUMNS": "200"})

    kept = [month_written(MONTH - ago) for ago in range(3)]
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"figures are kept of {kept[0]}, {kept[1]} and {kept[2]}" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--key", "nokeyyet"), "There is no key with the id nokeyyet"),
        (("--stack", "other"), "The gateway could not list the keys: its table did not answer: "),
    ],
)
def test_what_is_not_there_is_told_in_a_line(stack: tuple[str, Path], arguments: tuple[str, str], told: str) -> None:
    """A key, or another stack's tables."""
    ended = _usage(stack[0], *arguments)

    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith(f"megallm: {told}")


def test_a_whole_key_is_no_id_and_is_not_repeated() -> None:
    """It would stand in the log of whoever runs the command."""
    ended = CliRunner().invoke(app, ["usage", "--key", KEY])

    assert (ended.exit_code, KEY in ended.output) == (2, False)


@pytest.mark.slow
def test_without_an_option_it_is_the_usage_of_the_running_local_stack(stack: tuple[str, Path], tmp_path: Path) -> None:
    """Elsewhere there is none."""
    inside, outside = megallm(stack[1], "usage"), megallm(tmp_path, "usage")

    assert (inside.status, len(inside.stdout.splitlines())) == (0, 7)
    assert (outside.status, outside.stdout) == (1, "")
    assert outside.stderr.startswith("megallm: no local stack is running for this folder.")
