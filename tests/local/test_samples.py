"""The samples of the quickstart, dropped into a whole local stack with a real model: what their user would look at.

The tiny model writes nonsense, in the right language and about the right thing. ``TEST_MODEL=default`` runs the model
that people get, where its file is there already, and looks at it more strictly.
"""

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from megallm.local import weights
from tests.local.running import running_stack
from tests.local.test_stack_batches import s3_of

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
MODEL = os.environ.get("TEST_MODEL", "tiny")
SECONDS = 600.0
SUMMARY, TRANSLATION = "inbox/summarize/eli5/lighthouse.txt", "inbox/translate/es/shop.jsonl"
# The tiny model seldom comes to an end by itself.
MAX_TOKENS = {SUMMARY: 60, TRANSLATION: 24} if MODEL == "tiny" else {SUMMARY: 300, TRANSLATION: 100}


def words(text: str) -> list[str]:
    """In small letters."""
    return re.findall(r"[^\W\d_]+", text.lower())


SPANISH = frozenset(words("el la los las lo un una de del en es está que y para por con sin no se su al como"))
ENGLISH = frozenset(words("the a an of in is it and to for with without this that by on we will your one"))


@dataclass(frozen=True, slots=True)
class Done:
    """What is there of one drop: the three files on the disk, and the same from the bucket."""

    manifest: dict[str, Any]  # Any: JSON
    lines: list[dict[str, Any]]
    errors: bytes
    on_disk: dict[str, bytes]
    in_bucket: dict[str, bytes]


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest) -> str:
    """Its name; its file is there."""
    if MODEL == "tiny":
        request.getfixturevalue("tiny_model")
    else:
        there = weights.default_folder(os.environ) / weights.MODELS[MODEL].file_name
        assert there.exists(), f"`megallm models pull {MODEL}` first"
    return MODEL


@pytest.fixture(scope="module")
def done(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """By the key that was dropped."""
    with running_stack(tmp_path_factory.mktemp("stack"), "--port", "0", "--model", model, "--json") as stack:
        state = stack.state()
        s3 = s3_of(state)
        for key, most in MAX_TOKENS.items():
            body = (SAMPLES / key.rpartition("/")[2]).read_bytes()
            s3.put_object(Bucket=state.bucket, Key=key, Body=body, Metadata={"max-tokens": str(most)})
        deadline = time.monotonic() + SECONDS
        while len(list(stack.folder.results.glob("*/manifest.json"))) < len(MAX_TOKENS):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        found: dict[str, Done] = {}
        for folder in stack.folder.results.iterdir():
            on_disk = {path.name: path.read_bytes() for path in folder.iterdir()}
            in_bucket = {
                name: s3.get_object(Bucket=state.bucket, Key=f"results/{folder.name}/{name}")["Body"].read()
                for name in on_disk
            }
            manifest = json.loads(on_disk["manifest.json"])
            lines = [json.loads(line) for line in on_disk["results.jsonl"].splitlines()]
            found[manifest["input"]["key"]] = Done(manifest, lines, on_disk["errors.jsonl"], on_disk, in_bucket)
        ended = stack.stop()
    assert (ended.status, "Traceback" in ended.stderr) == (0, False)
    return found


def rows() -> list[dict[str, Any]]:
    """The shop's texts."""
    return [json.loads(line) for line in (SAMPLES / "shop.jsonl").read_text().splitlines()]


def is_spanish(text: str) -> bool:
    """Whether it has more of the small words of Spanish than of those of English."""
    found = words(text)
    return sum(word in SPANISH for word in found) > sum(word in ENGLISH for word in found)


def test_every_item_has_one_result_in_order(done: dict[str, Done]) -> None:
    """With its own id, its record's number and its row's other fields; nothing failed."""
    summary, translation = done[SUMMARY], done[TRANSLATION]

    assert sorted(done) == sorted(MAX_TOKENS)
    assert [(line["custom_id"], line["record"]) for line in summary.lines] == [("1", 1)]
    assert [(line["custom_id"], line["record"], line["fields"]) for line in translation.lines] == [
        (row["custom_id"], number, {"price": row["price"]}) for number, row in enumerate(rows(), 1)
    ]
    for each in done.values():
        total = len(each.lines)
        assert [line["result"]["type"] for line in each.lines] == ["succeeded"] * total
        assert each.manifest["counts"] == {
            "total": total,
            "succeeded": total,
            "errored": 0,
            "canceled": 0,
            "expired": 0,
        }
        assert (each.manifest["problem"], each.manifest["failures"], each.errors) == (None, {}, b"")
        assert each.in_bucket == each.on_disk


def test_tokens_and_stop_reasons_add_up(done: dict[str, Done]) -> None:
    """The manifest's are the sum of the lines'; only a reply that has all the tokens that it may have was cut."""
    for key, each in done.items():
        messages = [line["result"]["message"] for line in each.lines]
        usages = [message["usage"] for message in messages]
        used = each.manifest["usage"]

        assert used["input_tokens"] == sum(
            usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
            for usage in usages
        )
        assert used["output_tokens"] == sum(usage["output_tokens"] for usage in usages)
        assert used["calls"] == sum(each.manifest["routes"].values()) == len(messages)
        for message in messages:
            reason, tokens = message["stop_reason"], message["usage"]["output_tokens"]
            assert 0 < tokens <= MAX_TOKENS[key]
            # What ends a reply is a token too, and may be the last that it may have.
            assert (reason, tokens) == ("max_tokens", MAX_TOKENS[key]) or reason == "end_turn"
        assert len({message["id"] for message in messages}) == len(messages)


def test_the_summary_is_shorter_than_its_text_and_speaks_of_it(done: dict[str, Done]) -> None:
    """Some of the text's longer words are in it."""
    text = (SAMPLES / "lighthouse.txt").read_text()
    [line] = done[SUMMARY].lines
    output = line["output"]
    long_words = {word for word in words(output) if len(word) >= 5}

    assert 0 < len(output.strip()) < len(text)
    assert output.strip() != text.strip()
    assert len(long_words & set(words(text))) >= 2
    assert not is_spanish(output)
    if MODEL != "tiny":
        assert output.strip() not in text
        assert "lighthouse" in words(output)


def test_the_translations_are_spanish_and_not_their_sources(done: dict[str, Done]) -> None:
    """All of them together where the model is tiny, else each of them."""
    outputs = [line["output"].strip() for line in done[TRANSLATION].lines]
    sources = [row["text"] for row in rows()]

    assert all(outputs)
    assert len(set(outputs)) >= 3
    assert is_spanish(" ".join(outputs))
    assert sum(output != source for output, source in zip(outputs, sources, strict=True)) >= 3
    if MODEL != "tiny":
        reasons = [line["result"]["message"]["stop_reason"] for line in done[TRANSLATION].lines]
        assert reasons == ["end_turn"] * len(sources)
        assert len(set(outputs)) == len(sources)
        assert [source for output, source in zip(outputs, sources, strict=True) if source in output] == []
        assert [output for output in outputs if not is_spanish(output)] == []
