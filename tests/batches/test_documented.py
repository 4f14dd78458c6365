"""docs/batches.md says what is true, and its samples are good."""

import re
import shlex
from pathlib import Path

import jsonschema_rs
import pytest
from pydantic_core import from_json, to_json

from megallm.batches.conversion import lines_of
from megallm.batches.gunzip import FREE_BYTES, MAX_RATIO
from megallm.batches.inbox import job_of_drop, target_of
from megallm.batches.indexing import MAX_BYTES, MAX_ITEMS, job_line_of, with_job_line
from megallm.batches.items import Item, read_item
from megallm.batches.job_message import parse_job, source_key
from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.model import BYTES_A_PART, ITEMS_A_PART, LIFETIME_SECONDS
from megallm.batches.options import MAX_FLAGS, MAX_TEXT_FIELDS, SentOptions, SummarizeOptions, TranslateOptions
from megallm.batches.results import Errored, Succeeded, error_line, result_line
from megallm.batches.templates import MODEL, SUMMARY_TOKENS, TRANSLATION_TOKENS
from megallm.errors import InvalidRequest
from megallm.local.aws import BUCKET
from megallm.local.isolation import REGION
from megallm.stores.resources import name_of
from tests.batches.indexed import all_records, index
from tests.batches.samples import MESSAGES, TRANSLATE, batch, item, message

ACCOUNT_ID = "123456789012"  # of the local AWS
DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "batches.md").read_text()
BLOCKS = [from_json(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
TEXT_ROW, MESSAGES_ROW, WITH_ITEMS, WITH_POINTER, SCHEMA, RESULT, ERROR = BLOCKS


def table_rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def test_the_table_of_options_names_exactly_those_that_there_are() -> None:
    """For each task."""
    documented: dict[str, set[str]] = {"summarize": set(), "translate": set(), "messages": set()}
    for tasks, names, *_ in table_rows("Options"):
        for task in documented if tasks == "all" else tasks.split(", "):
            documented[task] |= set(re.findall(r"`(\w+)`", names))

    assert documented == {
        "summarize": set(SummarizeOptions.model_fields),
        "translate": set(TranslateOptions.model_fields),
        "messages": set(SentOptions.model_fields),
    }


def test_the_numbers_are_those_of_the_code() -> None:
    """Whoever changes one changes the page."""
    assert [row[:2] for row in table_rows("Limits")] == [
        ["items in a file", f"{MAX_ITEMS:,}"],
        ["bytes of a file, unpacked", f"{MAX_BYTES // 1024**3} GiB"],
        ["bytes of an item", f"{MAX_LINE_BYTES:,}; a larger one is an error, and is not kept"],
        ["bytes of a `.txt`", f"{MAX_LINE_BYTES:,}"],
        ["gzip", f"{MAX_RATIO} times its size, once it is past {FREE_BYTES // 10**6} MB"],
        ["time to end", f"{LIFETIME_SECONDS // 3600} hours"],
        ["languages of a translation", "1"],
    ]
    flat = " ".join(PAGE.split())
    for sentence in (
        f"A summary has {SUMMARY_TOKENS} tokens at most; a translation {TRANSLATION_TOKENS}, or half a token a byte",
        f"each finished part ({ITEMS_A_PART:,} items, or {BYTES_A_PART // 1024**2} MiB of input)",
        f"| `model` | `{MODEL}` |",
        f"a row's text, up to {MAX_TEXT_FIELDS};",
        f"as the header; up to {MAX_FLAGS}, each",
    ):
        assert sentence in flat


def test_the_rows_are_good_items() -> None:
    """As printed."""
    assert isinstance(read_item(to_json(TEXT_ROW), 1, TRANSLATE), Item)
    assert isinstance(read_item(to_json(MESSAGES_ROW), 1, MESSAGES), Item)


def test_the_printed_lines_of_results_and_errors_have_the_fields_that_ours_have() -> None:
    """In their order."""
    good, reply = item(to_json(TEXT_ROW)), message("Una taza hecha a mano.")
    bad = read_item(to_json(ERROR["item"]), 1, TRANSLATE)
    assert not isinstance(bad, Item)

    result = from_json(result_line(batch(), good, Succeeded(reply)))

    assert list(result) == list(RESULT)
    assert {**result, "result": None} == {**RESULT, "result": None}
    assert from_json(error_line(batch(), bad, bad.error, 0)) == ERROR
    assert from_json(result_line(batch(), bad, Errored(bad.error, 0)))["result"]["type"] == "errored"


def test_the_printed_options_are_taken() -> None:
    """The metadata of the command, and the first line."""
    [metadata] = re.findall(r"--metadata (\S+)`", PAGE)
    [line] = re.findall(r'`(\{"job": .*?\}\})`', PAGE)

    job = job_of_drop(target_of("inbox/messages/a.jsonl"), dict(pair.split("=") for pair in metadata.split(",")))
    options = job_line_of(line.encode())

    assert (job.options["max_cost"], job.options["dry_run"]) == (2.5, True)
    assert options is not None
    assert with_job_line(TRANSLATE, options).options["id_field"] == "sku"


def test_the_printed_job_messages_are_taken() -> None:
    """By the schema and by us; the pointer is its owner's."""
    for printed in (WITH_ITEMS, WITH_POINTER):
        jsonschema_rs.validate(SCHEMA, printed)

    assert parse_job(to_json(WITH_ITEMS)).task == "translate"
    assert source_key(parse_job(to_json(WITH_POINTER)), "my-bucket") == "uploads/keys/aB3dE6gH/requests.jsonl.gz"


def test_the_printed_commands_bring_a_file_and_a_job_to_the_local_stack() -> None:
    """To the bucket, the queue and the region that it has; the queue on AWS has the name that the stack gives it."""
    drop, send = (shlex.split(block.replace("\\\n", "")) for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    credentials = ["AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any", "aws"]
    where = ["--region", REGION, "--endpoint-url", "http://127.0.0.1:4142"]

    assert drop == [*credentials, "s3", "cp", "docs/samples/shop.jsonl", f"s3://{BUCKET}/inbox/translate/es/", *where]
    assert target_of(f"{drop[6].removeprefix(f's3://{BUCKET}/')}shop.jsonl").task == "translate"
    body, queue = send.pop(8), send.pop(6)
    assert send == [*credentials, "sqs", "send-message", "--queue-url", "--message-body", *where]
    assert queue == f"http://127.0.0.1:4142/{ACCOUNT_ID}/{name_of('intake')}"
    assert parse_job(body.encode()).task == "summarize"
    assert f"`{name_of('intake', 'NAME')}`" in PAGE


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"task": "dance"},
        {"options": []},
        {"items": []},
        {"items": {}},
        {"source": "s3://bucket/a"},
        {"owner": "me"},
        {"owner": "operator"},
        {"owner": "aB3dE6gH"},
        {"client_token": ""},
        {"client_token": "a b"},
        {"client_token": "x" * 65},
        {"more": 1},
        {},
    ],
)
def test_the_schema_takes_what_we_take(change: dict[str, object]) -> None:
    """And refuses what we refuse, but for the options, which the table describes."""
    changed = {**WITH_ITEMS, **change}
    try:
        parse_job(to_json(changed))
        taken = True
    except InvalidRequest:
        taken = False

    assert jsonschema_rs.is_valid(SCHEMA, changed) == taken


@pytest.mark.parametrize(
    ("folder", "name", "items"),
    [("summarize/bullet_points", "lighthouse.txt", 1), ("translate/es", "shop.jsonl", 5)],
)
def test_the_samples_are_good_from_the_first_to_the_last_item(folder: str, name: str, items: int) -> None:
    """They are what the README's quickstart drops."""
    whole = (DOCS / "samples" / name).read_bytes()
    target = target_of(f"inbox/{folder}/{name}")
    job = job_of_drop(target, {})
    lines = lines_of(target.name, whole[:4096], [whole])
    joined = whole if lines is None else b"".join(lines)

    read = [read_item(record.line, record.number, job) for record in all_records(index([joined], job), joined)]

    assert [type(one) for one in read] == [Item] * items
