"""Batches, jobs and messages to try things with."""

from collections.abc import Mapping

from megallm.batches.items import Item, read_item
from megallm.batches.model import OPERATOR, Batch, Job, Source
from megallm.batches.options import job_of

TRANSLATE = job_of("translate", {"target_language_codes": ["es"]})
SUMMARIZE = job_of("summarize", {})
MESSAGES = job_of("messages", {})

PARAMS = {"model": "claude-sonnet-4", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


def batch(job: Job = TRANSLATE, **changed: object) -> Batch:
    """A batch of this job in work."""
    fields: dict[str, object] = {
        "id": "msgbatch_1",
        "owner": OPERATOR,
        "job": job,
        "source": Source("inbox/translate/es/a.jsonl", "v1", "a.jsonl", 440),
        "state": "in_progress",
        "created_at": 1_763_800_000.0,
        "expires_at": 1_763_886_400.0,
    }
    return Batch(**{**fields, **changed})  # type: ignore[arg-type]  # the fields are given by name


def item(line: bytes, job: Job = TRANSLATE, record: int = 1) -> Item:
    """The item of a good line."""
    read = read_item(line, record, job)
    assert isinstance(read, Item), read
    return read


def message(text: str) -> Mapping[str, object]:
    """A body of ``POST /v1/messages``."""
    return {
        "id": "msg_of_the_call",
        "type": "message",
        "role": "assistant",
        "model": "claude-3.5-sonnet",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
