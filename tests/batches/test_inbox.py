"""What the key of a dropped object says, and what is wrong with others."""

import pytest

from megallm.batches.inbox import Target, job_of_drop, owner_of, target_of
from megallm.batches.model import OPERATOR
from megallm.batches.options import job_of
from megallm.batches.refused import Refused


@pytest.mark.parametrize(
    ("key", "target"),
    [
        (
            "inbox/summarize/executive/report.jsonl",
            Target(OPERATOR, "summarize", {"style": "executive"}, "report.jsonl"),
        ),
        (
            "inbox/translate/pt-br/2026/q1/a b.txt.gz",
            Target(OPERATOR, "translate", {"target_language_codes": ["pt-BR"]}, "a b.txt.gz"),
        ),
        ("inbox/messages/batch.json", Target(OPERATOR, "messages", {}, "batch.json")),
        ("inbox/messages/part-00000", Target(OPERATOR, "messages", {}, "part-00000")),
        (
            "inbox/keys/aB3dE6gH/translate/es/a.ndjson",
            Target("aB3dE6gH", "translate", {"target_language_codes": ["es"]}, "a.ndjson"),
        ),
    ],
)
def test_a_key_says_whose_object_it_is_and_what_is_to_be_done(key: str, target: Target) -> None:
    """Folders below the task's are for the owner's own order."""
    assert target_of(key) == target
    assert owner_of(key) == target.owner


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("inbox/dance/a.jsonl", "'dance' is no task; there are inbox/summarize/<style>/NAME"),
        ("inbox/a.jsonl", "'a.jsonl' is no task; there are inbox/summarize/<style>/NAME"),
        ("inbox/summarize/a.jsonl", "A folder is missing in 'inbox/summarize/a.jsonl'"),
        ("inbox/messages", "A folder is missing in 'inbox/messages'"),
        ("inbox/summarize/haiku/a.jsonl", "'haiku' is no style of summaries; there are bullet_points, paragraph, "),
        ("inbox/translate/klingon/a.jsonl", "translate: 'klingon' is no language code of ours; it should be"),
        ("inbox/translate/es/", "A folder is no file"),
        ("inbox/messages/a.txt", "'a.txt': messages are JSON; a text can be summarised or translated"),
        ("inbox/translate/es/a.csv", "'a.csv': .csv files are not taken; .jsonl, .ndjson, .json and .txt files are"),
        ("inbox/translate/es/a.docx.gz", "'a.docx.gz': .docx files are not taken"),
        ("inbox/keys/short/messages/a.jsonl", "'short' is no key's id: inbox/keys/<key-id>/…"),
        ("inbox/keys", "'' is no key's id: inbox/keys/<key-id>/…"),
        ("inbox/keys/aB3dE6gH", "There is no task in 'inbox/keys/aB3dE6gH'"),
        ("elsewhere/messages/a.jsonl", "'elsewhere/messages/a.jsonl' is outside of the inbox"),
    ],
)
def test_any_other_key_is_refused_with_what_is_allowed_there(key: str, problem: str) -> None:
    """Unknown tasks, styles, languages and files each have their own words."""
    with pytest.raises(Refused) as raised:
        target_of(key)

    assert raised.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("key", "owner"),
    [("inbox/keys/aB3dE6gH/dance/a.jsonl", "aB3dE6gH"), ("inbox/keys/short/a.jsonl", OPERATOR), ("x", OPERATOR)],
)
def test_a_refused_object_has_an_owner_too(key: str, owner: str) -> None:
    """Who dropped it should see why it was refused."""
    assert owner_of(key) == owner


def test_metadata_adds_options_to_the_folders() -> None:
    """What other programs noted there is left alone."""
    target = target_of("inbox/summarize/eli5/a.jsonl")

    assert job_of_drop(target, {"max-cost": "2", "mtime": "17"}) == job_of(
        "summarize", {"style": "eli5", "max_cost": 2.0}
    )


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"style": "executive"}, "style: the folder says it; the metadata must not"),
        ({"max-cost": "0"}, "max_cost: Input should be greater than 0"),
        (
            {"source-language-code": "en"},
            "source_language_code: no such option of summarize; there are max_attempts",
        ),
    ],
)
def test_metadata_that_contradicts_or_cannot_be_is_refused(metadata: dict[str, str], problem: str) -> None:
    """Rather than guessed at."""
    with pytest.raises(Refused) as raised:
        job_of_drop(target_of("inbox/summarize/eli5/a.jsonl"), metadata)

    assert raised.value.problem.startswith(problem)
