"""Job messages: what is taken, and what a pointer may name."""

import pytest
from pydantic_core import from_json, to_json

from megallm.batches.job_message import JobMessage, inline_lines, parse_job, source_key
from megallm.batches.model import OPERATOR
from megallm.batches.options import job_of
from megallm.errors import InvalidRequest

ITEMS = {"version": 1, "task": "translate", "options": {"target_language_codes": ["es"]}, "items": [{"text": "Hello"}]}
POINTER = {"version": 1, "task": "messages", "source": "s3://bucket/uploads/a.jsonl"}


def refused(message: object) -> tuple[str, str | None]:
    """What is said, and of which field."""
    body = message if isinstance(message, bytes) else to_json(message)
    with pytest.raises(InvalidRequest) as raised:
        parse_job(body)
    return raised.value.message, raised.value.param


def test_a_message_with_items_is_a_job_and_its_lines() -> None:
    """The items are rows as a file would have them."""
    message = parse_job(to_json({**ITEMS, "items": [{"text": "Hello", "sku": 1.5}, "odd", None]}))

    assert message.owner == OPERATOR
    assert message.job() == job_of("translate", {"target_language_codes": ["es"]})
    assert inline_lines(message) == b'{"text":"Hello","sku":1.5}\n"odd"\nnull\n'


def test_a_client_token_counts_wherever_it_stands() -> None:
    """Beside the task, or among the options."""
    beside = parse_job(to_json({**POINTER, "client_token": "a"}))
    inside = parse_job(to_json({**POINTER, "options": {"client_token": "a"}}))

    assert beside.job() == inside.job() == job_of("messages", {"client_token": "a"})


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"{", ("The job message is not valid JSON: EOF while parsing an object at line 1 column 1", None)),
        ([], ("The job message must be a JSON object", None)),
        ({**ITEMS, "version": 2}, ("version: this gateway reads version 1 of job messages", "version")),
        ({"task": "messages", "items": [{}]}, ("version: Field required", "version")),
        ({**ITEMS, "task": "dance"}, ("task: 'dance' is none; there are summarize, translate, messages", "task")),
        ({**ITEMS, "options": {}}, ("target_language_codes is required", "target_language_codes")),
        ({**ITEMS, "priority": 1}, ("priority: Extra inputs are not permitted", "priority")),
        ({**ITEMS, "items": []}, ("items: List should have at least 1 item after validation, not 0", "items")),
        ({**ITEMS, "items": {}}, ("items: Input should be a valid list", "items")),
        (
            {**ITEMS, "source": "s3://bucket/a"},
            ("source: either items or a source is required, and not both", "source"),
        ),
        ({"version": 1, "task": "messages"}, ("source: either items or a source is required, and not both", "source")),
        ({**POINTER, "source": "https://bucket/a"}, ("source: it must be s3://<bucket>/<key>", "source")),
        ({**POINTER, "owner": "me"}, ("owner: neither a key's id nor operator", "owner")),
        (
            {**POINTER, "client_token": "a", "options": {"client_token": "b"}},
            ("client_token: the options have another one", "client_token"),
        ),
    ],
)
def test_a_wrong_message_is_refused_by_the_name_of_the_field(message: object, told: tuple[str, str | None]) -> None:
    """Whoever reads the log of the intake sees what to mend."""
    assert refused(message) == told


def pointer(owner: str, key: str) -> JobMessage:
    """A message of this owner that points to this key."""
    return parse_job(to_json({**POINTER, "owner": owner, "source": f"s3://bucket/{key}"}))


@pytest.mark.parametrize(
    ("owner", "key"),
    [
        ("operator", "uploads/a.jsonl"),
        ("operator", "inbox/messages/a.jsonl"),
        ("aB3dE6gH", "uploads/keys/aB3dE6gH/a.jsonl"),
        ("aB3dE6gH", "inbox/keys/aB3dE6gH/x/y z.jsonl"),
    ],
)
def test_a_pointer_may_name_what_is_its_owners(owner: str, key: str) -> None:
    """Below the owner's own prefixes."""
    assert source_key(pointer(owner, key), "bucket") == key


@pytest.mark.parametrize(
    ("owner", "key"),
    [
        ("aB3dE6gH", "uploads/a.jsonl"),
        ("aB3dE6gH", "uploads/keys/other123/a.jsonl"),
        ("aB3dE6gH", "uploads/keys/aB3dE6gHx/a.jsonl"),
        ("aB3dE6gH", "uploads/keys/aB3dE6gH/../other123/a.jsonl"),
        ("aB3dE6gH", "uploads/keys/aB3dE6gH/./a.jsonl"),
        ("aB3dE6gH", "uploads/keys/aB3dE6gH//a.jsonl"),
        ("aB3dE6gH", "results/msgbatch_1/results.jsonl"),
        ("operator", "results/msgbatch_1/results.jsonl"),
        ("operator", "work/msgbatch_1/input.jsonl"),
        ("operator", "uploads/keys/aB3dE6gH/a.jsonl"),
        ("operator", "inbox/keys/aB3dE6gH/messages/a.jsonl"),
    ],
)
def test_a_pointer_to_anything_else_is_refused(owner: str, key: str) -> None:
    """Whoever may send a message for one key must not read what another one dropped, or its results."""
    with pytest.raises(InvalidRequest, match="source: it must be below"):
        source_key(pointer(owner, key), "bucket")


def test_a_pointer_to_another_bucket_is_refused() -> None:
    """The functions may read one."""
    with pytest.raises(InvalidRequest, match="source: it must be in s3://mine/"):
        source_key(pointer("operator", "uploads/a.jsonl"), "mine")


def test_the_schema_of_the_message_is_the_one_that_is_documented() -> None:
    """Its fields and which are required; docs/batches.md prints it."""
    schema = JobMessage.model_json_schema()

    assert schema["required"] == ["version", "task"]
    assert list(schema["properties"]) == ["version", "task", "options", "items", "source", "owner", "client_token"]
    assert from_json(to_json(schema["properties"]["version"]))["const"] == 1
