"""How many tokens the items of a batch are taken to use."""

import pytest
from pydantic_core import to_json

from megallm.batches.estimate import TokenEstimate
from megallm.batches.indexing import LineIndexer
from megallm.batches.model import Job
from megallm.batches.options import job_of
from megallm.batches.rows import row_of

MESSAGES = job_of("messages", {})
TRANSLATE = job_of("translate", {"target_language_codes": ["es"]})
LONG = "x" * 40_000


def of(job: Job, row: object) -> int:
    return TokenEstimate(job).of(row_of(to_json(row)))


def message(max_tokens: object, text: str = LONG) -> dict[str, object]:
    content = [{"role": "user", "content": text}]
    return {"custom_id": "a", "params": {"model": "m", "max_tokens": max_tokens, "messages": content}}


@pytest.mark.parametrize(
    ("max_tokens", "reply"),
    [(10, 10), (1000, 1000), (64_000, None), ("no number", None), (-5, 0)],
)
def test_a_reply_is_as_long_as_what_it_answers_or_as_it_may_be(max_tokens: object, reply: int | None) -> None:
    """Most clients ask for the most that there is, so that the limit alone would tell nothing."""
    row = message(max_tokens)
    sent = len(to_json(row)) // 4

    assert of(MESSAGES, row) == sent + (sent if reply is None else reply)


def test_a_short_question_may_have_a_longer_answer() -> None:
    """Of a hundred tokens, if it may."""
    row = message(64_000, "Why?")

    assert of(MESSAGES, row) == len(to_json(row)) // 4 + 100


def test_images_are_not_their_letters() -> None:
    """A picture of a megabyte is some 1,600 tokens, not 250,000; a tiny one no more than its letters."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 900_000}}
    tiny = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40}}
    row = {"params": {"max_tokens": 1, "messages": [{"role": "user", "content": [image, tiny]}]}}

    assert of(MESSAGES, row) == (len(to_json(row)) - 900_040) // 4 + 1600 + 10 + 1


def test_texts_come_with_their_prompt_and_replies_as_their_task_has_them() -> None:
    """A translation is as long as its text; a summary never longer than summaries are."""
    row = {"text": LONG}
    translated, summarized = of(TRANSLATE, row), of(job_of("summarize", {}), row)
    brief = of(job_of("summarize", {"max_tokens": 20}), row)

    assert 20_000 < translated < 20_400
    assert 10_300 < summarized < 10_700
    assert 278 < summarized - brief < 284  # the prompt has the limit in it


def test_the_index_adds_up_what_will_be_sent() -> None:
    """Bad lines and second rows of one id are never sent; the options of the first line count."""
    first = b'{"job":{"max_tokens":20}}\n'
    rows = [to_json({"custom_id": "a", "text": LONG}), b"no row", to_json({"custom_id": "a", "text": LONG})]
    indexer = LineIndexer("msgbatch_1", job_of("summarize", {}))

    indexer.feed(first + b"\n".join(rows) + b"\n")
    indexer.finish()

    assert indexer.total == 3
    assert indexer.estimated_tokens == of(job_of("summarize", {"max_tokens": 20}), {"custom_id": "a", "text": LONG})
