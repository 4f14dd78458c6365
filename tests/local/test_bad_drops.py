"""The corpus of bad inputs over the S3 drop of a local stack: real handlers, stores and queues."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from megallm.local import aws
from tests.local.test_batches import Stack, lines_of, run
from tests.operations.batches.bad_files import READ, TO_SPANISH, WHOLE_FILES

pytestmark = pytest.mark.slow

# One of each kind: over stores in memory all of them are tried.
NAMES = (
    "empty",
    "UTF-16 with its mark",
    "a gzip that breaks off",
    "a gzip bomb",
    "binary",
    "an array that breaks off",
    "an unknown task",
    "an unknown language",
    "no newline at the end",
    "a byte order mark and CRLF, packed",
    "a gzip of two members",
    "ids that come twice",
    "lines that are no objects",
    "a line in Latin-1",
    "a line that is too large",
)
FILES = {name: {**WHOLE_FILES, **READ}[name] for name in NAMES}
MODEL = {"model": "claude-test"}


@pytest.fixture
def local_aws() -> Iterator[aws.LocalAws]:
    running = aws.start()
    yield running
    running.stop()


def test_every_bad_file_ends_with_its_word(local_aws: aws.LocalAws, tmp_path: Path, lines: io.StringIO) -> None:
    """All at once. Each has its manifest, with the reason or the counts, its error lines, and its event."""
    keys = {name: _own_key(number, file.key) for number, (name, file) in enumerate(FILES.items())}
    told: dict[str, Any] = {}

    async def work(running: Stack) -> None:
        for name, file in FILES.items():
            await running.dropped(keys[name], file.body, Metadata=MODEL)
        for folder in await running.results(len(FILES)):
            manifest = json.loads((folder / "manifest.json").read_bytes())
            errors = lines_of(folder / "errors.jsonl")
            results = [json.loads(line) for line in (folder / "results.jsonl").read_bytes().split(b"\n")[:-1]]
            told[manifest["input"]["key"]] = (
                manifest["problem"],
                manifest["counts"]["total"],
                manifest["counts"]["errored"],
                [line["custom_id"] for line in results],
                [(line["record"], line["error"]["message"]) for line in errors],
            )

    run(local_aws, tmp_path / "results", work, None)

    assert told == {
        keys[name]: (file.problem, len(file.ids), len(file.errors), list(file.ids), list(file.errors))
        for name, file in FILES.items()
    }
    events = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len({event["batch_id"] for event in events if event["event"] == "batch_ended"}) == len(FILES)
    assert not [event for event in events if event["event"] in ("intake_broken", "part_broken", "finish_broken")]


def _own_key(number: int, key: str) -> str:
    """Another folder for each file of the same key."""
    return key.replace(f"{TO_SPANISH}/", f"{TO_SPANISH}/{number}/")
