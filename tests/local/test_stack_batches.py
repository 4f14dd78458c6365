"""Batches in a whole local stack, with the embedded model, and an end in the middle."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from megallm.local.isolation import local_target
from megallm.local.state import LocalState, is_running
from tests.local.running import AT_ONCE_SECONDS, running_stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

SECONDS = 180.0


def s3_of(state: LocalState) -> "S3Client":
    return local_target(state.aws_endpoint_url).s3()


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


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
    assert took < AT_ONCE_SECONDS
    assert is_running(state) is False
