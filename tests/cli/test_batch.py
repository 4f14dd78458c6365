"""`megallm batch` against a local AWS and the real batch functions, in a process of its own each time."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from megallm.batches.model import OPERATOR, Batch, Job, Source, batch_id_of
from megallm.errors import UpstreamMisconfigured
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from tests.cli.batch_clone import PATIENCE_SECONDS, BatchClone, batch_clone, said
from tests.cli.canned_server import Canned, canned, no_stack, stack_with
from tests.fakes import Pause, ScriptedProvider, Step, text_reply
from tests.local.running import as_json, megallm

pytestmark = pytest.mark.slow

Json = Any  # what a command prints

MODEL = ("--model", "claude-test")
ID = re.compile(r"msgbatch_[0-9a-f]{24}")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchClone]:
    with batch_clone(tmp_path_factory.mktemp("clone")) as opened:
        yield opened


def texts(clone: BatchClone, *lines: str, name: str = "texts.jsonl") -> str:
    """A file with these texts."""
    rows = [{"custom_id": f"row-{number}", "text": line} for number, line in enumerate(lines, 1)]
    (clone.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def reply(call: Call[MessagesRequest]) -> Sequence[Step]:
    return [UpstreamMisconfigured("no")] if "fail" in said(call) else text_reply("done")


def shown(text: str) -> Json:
    document: Json = as_json(text)
    return document


def test_a_file_is_submitted_followed_and_read(clone: BatchClone) -> None:
    """The id stands alone on standard output; the results are in the order of the rows."""
    name = texts(clone, "one", "two", "three")
    with clone.working(ScriptedProvider(reply)):
        submitted = clone.megallm("batch", "submit", name, "--task", "translate", "--to", "es", *MODEL)
        batch_id = submitted.stdout.strip()
        followed = clone.megallm("batch", "status", batch_id, "--wait", "--json")
        results = clone.megallm("batch", "results", batch_id)
        table = clone.megallm("batch", "status", batch_id)

    assert (submitted.status, ID.fullmatch(batch_id) is not None) == (0, True)
    assert submitted.stderr == f"Follow it with `megallm batch status {batch_id} --wait`.\n"
    batch = shown(followed.stdout)
    assert (batch["id"], batch["state"], batch["items"], batch["done"]) == (batch_id, "ended", 3, 3)
    assert batch["counts"] == {"succeeded": 3, "errored": 0, "canceled": 0, "expired": 0}
    assert (batch["owner"], batch["task"], batch["input"]["name"]) == ("operator", "translate", "texts.jsonl")
    assert batch["options"]["target_language_codes"] == ["es"]
    assert batch["usage"] == {"input_tokens": 21, "output_tokens": 9, "calls": 3, "cost_usd": None}
    lines = [json.loads(line) for line in results.stdout.splitlines()]
    assert [(line["custom_id"], line["output"]) for line in lines] == [(f"row-{n}", "done") for n in (1, 2, 3)]
    assert [re.split(r"\s{2,}", line.strip()) for line in table.stdout.splitlines()][:8] == [
        ["id", batch_id],
        ["owner", "operator"],
        ["task", "translate"],
        ["file", "texts.jsonl"],
        ["state", "ended"],
        ["items", "3, 3 done"],
        ["succeeded", "3"],
        ["failed", "0"],
    ]


def test_what_failed_is_retried_as_a_batch_of_its_own(clone: BatchClone) -> None:
    """With the same task; twice is the same batch."""
    name = texts(clone, "one", "fail", "three")
    with clone.working(ScriptedProvider(reply)):
        waited = clone.megallm("batch", "submit", name, "--task", "summarize", *MODEL, "--style", "eli5", "--wait")
        batch_id = waited.stderr.splitlines()[0]
    with clone.working(ScriptedProvider()):
        retried = clone.megallm("batch", "retry", batch_id, "--failed", "--wait", "--json")
        again = clone.megallm("batch", "retry", batch_id, "--failed", "--json")
        results = clone.megallm("batch", "results", shown(retried.stdout)["id"])
    errors = clone.megallm("batch", "results", batch_id, "--errors")

    advice = f"Try the items without success again with `megallm batch retry {batch_id} --failed`."
    assert waited.stderr.splitlines()[-1] == advice
    batch = shown(retried.stdout)
    assert (batch["items"], batch["counts"]["succeeded"], batch["options"]["style"]) == (1, 1, "eli5")
    assert shown(again.stdout) == {"id": batch["id"]}
    assert [json.loads(line)["custom_id"] for line in results.stdout.splitlines()] == ["row-2"]
    (error,) = [json.loads(line) for line in errors.stdout.splitlines()]
    assert (error["record"], error["item"]["text"]) == (2, "fail")


def test_a_dry_run_tells_what_the_run_would_use(clone: BatchClone) -> None:
    """No model is called."""
    provider = ScriptedProvider()
    name = texts(clone, "one", "two")
    with clone.working(provider):
        ended = clone.megallm("batch", "submit", name, "--task", "summarize", *MODEL, "--dry-run", "--wait", "--json")
        batch = shown(ended.stdout)
        table = clone.megallm("batch", "status", batch["id"])

    assert (ended.status, batch["state"], batch["usage"]["calls"], provider.calls) == (0, "ended", 0, [])
    estimate = batch["estimate"]
    assert estimate["input_tokens"] > 0
    assert [re.split(r"\s{2,}", line.strip()) for line in table.stdout.splitlines()][-4:] == [
        ["would use: input_tokens", f"{estimate['input_tokens']:,}"],
        ["would use: output_tokens", f"{estimate['output_tokens']:,}"],
        ["would use: calls", "2"],
        ["would use: cost_usd", "-"],  # the model has no prices
    ]


def test_results_go_to_a_file_that_is_whole_or_not_there(clone: BatchClone) -> None:
    """In place of what was there."""
    name = texts(clone, "one")
    with clone.working(ScriptedProvider()):
        waited = clone.megallm("batch", "submit", name, "--task", "summarize", *MODEL, "--wait")
    batch_id = waited.stderr.splitlines()[0]
    output = clone.folder / "out.jsonl"
    output.write_text("old")

    ended = clone.megallm("batch", "results", batch_id, "--output", str(output))

    assert (ended.status, ended.stdout, ended.stderr) == (0, "", "")
    assert [json.loads(line)["custom_id"] for line in output.read_text().splitlines()] == ["row-1"]
    assert list(clone.folder.glob(".out*")) == []


def test_a_refused_file_is_status_1_with_the_reason(clone: BatchClone) -> None:
    """The batch is there, and has ended."""
    (clone.folder / "empty.jsonl").write_text("")
    with clone.working(ScriptedProvider()):
        ended = clone.megallm("batch", "submit", "empty.jsonl", "--task", "summarize", "--wait")
    batch_id = ended.stderr.splitlines()[0]
    results = clone.megallm("batch", "results", batch_id)

    assert (ended.status, results.status, results.stdout) == (1, 1, "")
    assert ended.stderr.splitlines()[-1].startswith("megallm: the batch was refused: ")
    assert results.stderr.startswith("megallm: the batch was refused: ")


def test_a_client_token_is_one_batch(clone: BatchClone) -> None:
    """B14: whatever is submitted with it."""
    name = texts(clone, "one")
    arguments = ("batch", "submit", name, "--task", "summarize", *MODEL, "--client-token", "today", "--json")
    with clone.working(ScriptedProvider()):
        first = clone.megallm(*arguments, "--wait")
        second = clone.megallm(*arguments)

    batch_id = batch_id_of("token", OPERATOR, "today")
    assert (shown(first.stdout)["id"], shown(second.stdout)) == (batch_id, {"id": batch_id})
    assert second.stderr == "The token today has made this batch before; nothing was uploaded.\n"


def test_a_key_s_batch_is_owned_by_the_key(clone: BatchClone) -> None:
    """It has the key's allowance, and says how long that takes; an unknown key has none."""
    name = texts(clone, "x" * 400_000)
    arguments = ("batch", "submit", name, "--task", "summarize", *MODEL, "--json")
    with clone.working(ScriptedProvider()):
        known = clone.megallm(*arguments, "--owner", "abcdefgh", "--wait")
        unknown = clone.megallm(*arguments, "--owner", "nonesuch")

    batch = shown(known.stdout)
    assert (batch["owner"], batch["counts"]["succeeded"]) == ("abcdefgh", 1)
    assert batch["input"]["key"].startswith("uploads/keys/abcdefgh/")
    assert known.stderr.splitlines()[0] == (
        "At 100,000 tokens a minute, which its owner's batches may use, its input alone takes 1:00; "
        "its status tells when all of it is expected."
    )
    assert (unknown.status, unknown.stdout, unknown.stderr) == (
        1,
        "",
        "megallm: the key nonesuch is unknown, expired or revoked.\n",
    )


def put(clone: BatchClone, name: str, owner: str, created_at: float) -> str:
    """A batch in progress that nobody works on."""
    batch_id = batch_id_of("test", name)
    job, source = Job("messages"), Source("inbox/messages/x", "1", name)
    clone.ports.store.create(Batch(batch_id, owner, job, source, "indexing", created_at, created_at + 86400, total=10))
    clone.ports.store.start(batch_id, total=10, parts=1, lines="l", lines_version="1")
    return batch_id


def test_the_list_has_everybody_s_batches_the_newest_first(clone: BatchClone) -> None:
    """The operator's, the keys' and those of who came without one; or of one of them."""
    far = 4_000_000_000.0
    ids = [
        put(clone, "first", OPERATOR, far),
        put(clone, "second", "abcdefgh", far + 1),
        put(clone, "third", "anonymous", far + 2),
    ]

    everybody = clone.megallm("batch", "list", "--limit", "3", "--json")
    one = clone.megallm("batch", "list", "--owner", "abcdefgh", "--limit", "1")

    assert [batch["id"] for batch in shown(everybody.stdout)] == ids[::-1]
    (line,) = one.stdout.splitlines()[1:]
    assert re.split(r"\s{2,}", line.strip()) == [
        *(ids[1], "abcdefgh", "messages", "in progress", "10", "0", "0", "$0.0000", "2096-10-02 07:06", "-", "second")
    ]


def test_a_batch_is_canceled_once(clone: BatchClone) -> None:
    """What it has is kept; what has ended cannot be canceled."""
    batch_id = put(clone, "canceled", OPERATOR, 1.0)

    first = clone.megallm("batch", "cancel", batch_id, "--json")
    clone.ports.store.end(batch_id, time.time())
    second = clone.megallm("batch", "cancel", batch_id)

    batch = shown(first.stdout)
    assert (batch["state"], batch["stopped_by"]) == ("canceling", "canceled")
    assert (second.status, second.stdout, second.stderr) == (1, "", f"megallm: The batch {batch_id} has ended\n")


@pytest.mark.parametrize(
    "arguments", [("status",), ("cancel",), ("retry", "--failed"), ("results",)], ids=lambda value: str(value[0])
)
def test_an_unknown_batch_is_one_line(clone: BatchClone, arguments: tuple[str, ...]) -> None:
    """Status 1: the command was right, the id was not."""
    ended = clone.megallm("batch", *arguments, "msgbatch_nothing")

    assert (ended.status, ended.stdout, ended.stderr) == (
        1,
        "",
        "megallm: There is no batch with the id msgbatch_nothing\n",
    )


def test_results_of_a_running_batch_name_the_remedy(clone: BatchClone) -> None:
    """Waiting for it."""
    batch_id = put(clone, "running", OPERATOR, 1.0)

    ended = clone.megallm("batch", "results", batch_id)

    assert (ended.status, ended.stdout, ended.stderr) == (
        1,
        "",
        f"megallm: the batch has not ended. Wait for it with `megallm batch status {batch_id} --wait`.\n",
    )


def in_progress(clone: BatchClone, batch_id: str) -> Batch:
    """The batch, once it is worked on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (batch := clone.ports.store.get(batch_id)) is None or batch.state != "in_progress":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return batch


@pytest.mark.parametrize("at_once", [True, False])
def test_ctrl_c_leaves_the_batch_running(clone: BatchClone, *, at_once: bool) -> None:
    """And says how to come back: as soon as the id was told, and while it runs."""
    pause = Pause()
    name = texts(clone, "one")
    with clone.working(ScriptedProvider([pause, *text_reply("done")])):
        command = subprocess.Popen(
            [sys.executable, "-m", "megallm", "batch", "submit", name, "--task", "summarize", *MODEL, "--wait"],
            cwd=clone.folder,
            env={**os.environ, "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert command.stderr is not None
        batch_id = command.stderr.readline().strip()
        if not at_once:
            in_progress(clone, batch_id)
        command.send_signal(signal.SIGINT)
        stdout, stderr = command.communicate(timeout=PATIENCE_SECONDS)
        left = in_progress(clone, batch_id)

    assert (command.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == (
        f"The batch goes on without this command. Come back with `megallm batch status {batch_id} --wait`, "
        f"read it with `megallm batch results {batch_id}`, or stop it with `megallm batch cancel {batch_id}`."
    )
    assert left.stop is None


def test_unusable_options_are_a_usage_error(tmp_path: Path) -> None:
    """Before AWS is asked."""
    (tmp_path / "texts.jsonl").write_text("{}")

    ended = megallm(tmp_path, "batch", "submit", "texts.jsonl", "--task", "translate")

    assert (ended.status, ended.stdout) == (2, "")
    assert "--to is required" in ended.stderr


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """As is a folder."""
    ended = megallm(tmp_path, "batch", "submit", "nonesuch.jsonl", "--task", "summarize")

    assert (ended.status, ended.stdout) == (2, "")


def test_a_file_that_is_none_of_ours_is_one_line(clone: BatchClone) -> None:
    """It is not uploaded."""
    (clone.folder / "a.docx").write_text("x")

    ended = clone.megallm("batch", "submit", "a.docx", "--task", "summarize")

    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr.startswith("megallm: 'a.docx': .docx files are not taken")


def test_retrying_wants_its_word(clone: BatchClone) -> None:
    """So that nobody thinks that a whole batch were done again."""
    ended = clone.megallm("batch", "retry", "msgbatch_1")

    assert (ended.status, ended.stdout) == (2, "")
    assert "say --failed" in ended.stderr


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            no_stack(),
            "there is no stack 'other' in us-east-1; --stack and --region name another. Without a stack, name the "
            "bucket with --bucket.",
        ),
        (
            stack_with({"Endpoint": "https://abc.example/prod/"}),
            "the stack 'other' has no output Bucket: it is no gateway's, or its deployment is not finished.",
        ),
    ],
)
def test_without_a_stack_or_its_bucket_the_remedy_is_named(tmp_path: Path, answer: Canned, told: str) -> None:
    """A deployed stack tells its bucket; what the environment has is not of a stack that was named."""
    environ = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "MEGALLM_BATCHES_BUCKET": "b"}
    with canned({"POST /": answer}) as aws:
        elsewhere = ("--region", "us-east-1", "--endpoint-url", aws, "--stack", "other")
        ended = megallm(tmp_path, "batch", "list", *elsewhere, environ=environ)

    assert (ended.status, ended.stdout, ended.stderr) == (1, "", f"megallm: {told}\n")


def test_the_bucket_of_a_deployed_stack_is_found_by_its_outputs(clone: BatchClone, tmp_path: Path) -> None:
    """No other option is needed than where the stack is."""
    (tmp_path / "texts.jsonl").write_text('{"text":"x"}\n')
    with canned({"POST /": stack_with({"Bucket": clone.ports.bucket})}) as cloudformation:
        environ = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_ENDPOINT_URL": clone.endpoint_url,
            "AWS_ENDPOINT_URL_CLOUDFORMATION": cloudformation,
        }
        submit = ("batch", "submit", "texts.jsonl", "--task", "summarize", *MODEL)
        ended = megallm(tmp_path, *submit, "--region", "us-east-1", environ=environ)

    assert (ended.status, ID.fullmatch(ended.stdout.strip()) is not None) == (0, True), ended.stderr


def test_another_aws_is_taken_by_its_options(clone: BatchClone, tmp_path: Path) -> None:
    """Its queues are found by their names."""
    texts_file = tmp_path / "texts.jsonl"
    texts_file.write_text('{"text":"x"}\n')
    environ = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "MEGALLM_BATCHES_BUCKET": clone.ports.bucket}
    elsewhere = ("--region", "us-east-1", "--endpoint-url", clone.endpoint_url)
    with clone.working(ScriptedProvider()):
        ended = megallm(
            tmp_path,
            *("batch", "submit", "texts.jsonl", "--task", "summarize", *MODEL, "--wait", "--json", *elsewhere),
            environ=environ,
        )

    assert (ended.status, shown(ended.stdout)["counts"]["succeeded"]) == (0, 1)
