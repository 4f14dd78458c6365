"""Batches in a whole local stack, with the embedded model: the samples of the quickstart, and an end in the middle."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from megallm.local.isolation import local_target
from megallm.local.state import LocalState, is_running
from tests.local.running import running_stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
SHORT = {"max_tokens": "8"}  # the tiny model writes nonsense: a little of it will do
SECONDS = 180.0


def s3_of(state: LocalState) -> "S3Client":
    return local_target(state.aws_endpoint_url).s3()


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_samples_are_summarised_and_translated(tiny_model: Path, tmp_path: Path) -> None:
    """Dropped as the README says; a result for each item is in the folder, and in the bucket."""
    drops = {"inbox/summarize/eli5/lighthouse.txt": "lighthouse.txt", "inbox/translate/es/shop.jsonl": "shop.jsonl"}
    ids = [json.loads(line)["custom_id"] for line in (SAMPLES / "shop.jsonl").read_text().splitlines()]
    with running_stack(tmp_path) as stack:
        state = stack.state()
        s3 = s3_of(state)
        for key, name in drops.items():
            s3.put_object(Bucket=state.bucket, Key=key, Body=(SAMPLES / name).read_bytes(), Metadata=SHORT)
        wait_for(lambda: len(list(stack.folder.results.glob("*/manifest.json"))) == len(drops))
        found: dict[str, Any] = {}
        for folder in stack.folder.results.iterdir():
            manifest = json.loads((folder / "manifest.json").read_text())
            lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
            found[manifest["input"]["key"]] = lines
            kept = s3.get_object(Bucket=state.bucket, Key=f"results/{folder.name}/results.jsonl")["Body"].read()
            assert kept == (folder / "results.jsonl").read_bytes()
        ended = stack.stop()

    assert sorted(found) == sorted(drops)
    assert [line["custom_id"] for line in found["inbox/translate/es/shop.jsonl"]] == ids
    for lines in found.values():
        assert {(line["result"]["type"], line["output"] != "") for line in lines} == {("succeeded", True)}
    assert ended.status == 0


def test_a_stack_ends_at_once_in_the_middle_of_a_batch(tiny_model: Path, tmp_path: Path) -> None:
    """The model computes for it: it is not closed, and nothing looks like an accident."""
    body = b"".join(json.dumps({"custom_id": str(number), "text": "Hello"}).encode() + b"\n" for number in range(200))
    with running_stack(tmp_path) as stack:
        state = stack.state()
        s3_of(state).put_object(Bucket=state.bucket, Key="inbox/translate/es/many.jsonl", Body=body)
        wait_for(lambda: '"event":"intake"' in stack.folder.log_file.read_text())
        time.sleep(1)
        began = time.monotonic()
        ended = stack.stop()
        took = time.monotonic() - began

    assert (ended.status, "Traceback" in ended.stderr) == (0, False)
    assert took < 10
    assert is_running(state) is False
