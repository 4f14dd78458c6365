"""From an object or a job message to a batch: whose it is, the same again, and what is refused."""

import gzip
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from megallm.batches.job_message import parse_job
from megallm.batches.model import OPERATOR, Batch, Counts, result_key
from megallm.keys import KeyStatus
from megallm.operations.batch_index import IndexRules
from megallm.operations.intake_batch import Standing, intake_job, intake_object
from megallm.operations.refuse_job import refuse_job
from megallm.stores.batch_items import batch_to_item
from tests.operations.batches.harness import Scene, in_use, message_lines
from tests.operations.batches.upstream import Upstream

KEY_ID = "abcdefgh"


def job(
    scene: Scene,
    fallback_id: str = "message-1",
    *,
    standing: Standing = in_use,
    **fields: Any,  # Any: JSON
) -> Batch:
    """Lets the intake have a job message."""
    message = parse_job(to_json({"version": 1, "task": "summarize", **fields}))
    return intake_job(scene.world.ports(), message, fallback_id, scene.clock(), standing, scene.rules())


def manifest_of(scene: Scene, batch: Batch) -> dict[str, Any]:  # Any: JSON
    manifest: dict[str, Any] = from_json(scene.world.objects[result_key(batch.id, "manifest.json")])
    return manifest


def test_the_same_object_is_the_same_batch_and_another_version_another() -> None:
    """B14: an event that comes twice changes nothing."""
    scene = Scene()

    first = scene.drop(message_lines(["a"]))
    again = scene.drop(message_lines(["a"]))
    other = scene.drop(message_lines(["b"]))

    assert again == first
    assert other.id != first.id
    assert scene.world.part_messages == [(first.id, 1), (other.id, 1)]


def test_the_same_client_token_is_the_same_batch_for_its_owner() -> None:
    """B14: whatever the second message holds."""
    scene = Scene()

    first = job(scene, "message-1", items=[{"text": "a"}], client_token="t")
    again = job(scene, "message-2", items=[{"text": "b"}], client_token="t")
    others = job(scene, "message-3", items=[{"text": "b"}], client_token="t", owner=KEY_ID)

    assert again.id == first.id
    assert others.id != first.id
    assert len(scene.world.part_messages) == 2


def test_a_client_token_in_a_first_line_counts_too() -> None:
    """B14: wherever it is said."""
    scene = Scene()
    token: dict[str, object] = {"job": {"client_token": "t"}}

    first = job(scene, "message-1", items=[token, {"text": "a"}])
    again = job(scene, "message-2", items=[token, {"text": "a"}])

    assert again.id == first.id
    assert len(scene.world.part_messages) == 1


def test_a_job_message_that_comes_twice_is_one_batch() -> None:
    """Without a token its id in the queue tells."""
    scene = Scene()

    first = job(scene, "message-1", items=[{"text": "a"}])
    again = job(scene, "message-1", items=[{"text": "a"}])
    scene.work()
    scene.finish()

    assert again.id == first.id
    assert scene.batch().counts == Counts(succeeded=1)


def test_an_object_below_a_keys_prefix_is_that_keys() -> None:
    """What lies elsewhere is the operator's."""
    scene = Scene()

    assert scene.drop(message_lines(["a"]), f"inbox/keys/{KEY_ID}/messages/in.jsonl").owner == KEY_ID
    assert scene.drop(message_lines(["a"]), "inbox/messages/in.jsonl").owner == OPERATOR


def revoked(owner: str) -> KeyStatus:
    """How it stands with every key."""
    return "revoked"


def unknown(owner: str) -> None:
    """There is no key."""


def test_a_revoked_owner_is_refused() -> None:
    """The batch ends at once, with the reason, and the listeners are told."""
    scene = Scene()

    batch = scene.drop(message_lines(["a"]), f"inbox/keys/{KEY_ID}/messages/in.jsonl", standing=revoked)

    assert (batch.state, batch.owner) == ("ended", KEY_ID)
    assert batch.problem == f"The key {KEY_ID}, which owns this, is revoked"
    assert manifest_of(scene, batch)["problem"] == batch.problem
    assert scene.world.objects[result_key(batch.id, "results.jsonl")] == b""
    assert scene.world.told == [batch]
    assert scene.world.part_messages == []
    assert job(scene, items=[{"text": "a"}], owner=KEY_ID, standing=revoked).problem == batch.problem


def test_what_is_of_no_key_is_refused_as_the_operators() -> None:
    """A slip of the pen in an id: the list that would have it otherwise is nobody's. Once more, it is the same one."""
    scene = Scene()
    store = scene.world.ports().store

    def refused() -> list[Batch]:
        return [
            job(scene, items=[{"text": "a"}], owner=KEY_ID, standing=unknown),
            job(scene, items=[{"text": "a"}], owner=KEY_ID, client_token="t", standing=unknown),
            scene.drop(message_lines(["a"]), f"inbox/keys/{KEY_ID}/messages/in.jsonl", standing=unknown),
        ]

    batches, again = refused(), refused()
    listed, _ = store.list(OPERATOR, limit=10, after_id=None, before_id=None)

    assert {(batch.state, batch.problem) for batch in batches} == {
        ("ended", f"owner: there is no key with the id {KEY_ID}")
    }
    assert sorted(batch.id for batch in listed) == sorted(batch.id for batch in batches)
    assert again == batches
    assert manifest_of(scene, batches[0])["owner"] == OPERATOR


NO_SUCH_OPTION = {"megallm-max-cots": "1"}


@pytest.mark.parametrize(
    ("key", "metadata", "standing", "task"),
    [
        ("inbox/translate/es/p.pdf", {}, in_use, "translate"),
        ("inbox/translate/es/in.jsonl", NO_SUCH_OPTION, in_use, "translate"),
        ("inbox/translate/Klingon/in.jsonl", {}, in_use, "translate"),
        ("inbox/summarize", {}, in_use, "summarize"),
        (f"inbox/keys/{KEY_ID}/summarize/eli5/in.jsonl", {}, revoked, "summarize"),
        (f"inbox/keys/{KEY_ID}/summarize/eli5/in.jsonl", {}, unknown, "summarize"),
        ("inbox/keys/no-key/translate/es/in.jsonl", {}, in_use, "translate"),
        ("inbox/messages/in.jsonl", NO_SUCH_OPTION, in_use, "messages"),
        ("inbox/dance/in.jsonl", {}, in_use, "messages"),
        ("elsewhere/translate/es/in.jsonl", {}, in_use, "messages"),
    ],
)
def test_a_refused_drop_has_the_task_of_its_folder(
    key: str, metadata: dict[str, str], standing: Standing, task: str
) -> None:
    """Whatever it was refused for: in its record, in the manifest, and in what is told."""
    scene = Scene()

    batch = scene.drop(b'{"text": "a"}\n', key, metadata, standing=standing)

    assert batch.problem is not None
    assert (batch.job.task, manifest_of(scene, batch)["task"], scene.world.told) == (task, task, [batch])


@pytest.mark.parametrize(
    ("body", "task"),
    [
        (b'{"version": 1, "task": "translate", "items": [{"text": "a"}]}', "translate"),
        (b'{"version": 2, "task": "summarize", "items": [{"text": "a"}]}', "summarize"),
        (b'{"task": "dance"}', "messages"),
        (b'{"task": ["translate"]}', "messages"),
        (b'["translate"]', "messages"),
        (b'{"task": "translate"', "messages"),
    ],
)
def test_a_refused_job_message_has_the_task_that_it_names(body: bytes, task: str) -> None:
    """As far as it can be read at all."""
    scene = Scene()

    batch = refuse_job(scene.world.ports(), "message-1", body, "It is wrong", scene.clock())

    assert (batch.job.task, batch.owner, manifest_of(scene, batch)["task"]) == (task, OPERATOR, task)


@pytest.mark.parametrize(
    ("owner", "key", "is_allowed"),
    [
        (OPERATOR, "inbox/summarize/paragraph/in.jsonl", True),
        (OPERATOR, "uploads/in.jsonl", True),
        (OPERATOR, "results/msgbatch_1/results.jsonl", False),
        (OPERATOR, "work/msgbatch_1/input.jsonl", False),
        (KEY_ID, f"uploads/keys/{KEY_ID}/in.jsonl", True),
        (KEY_ID, "uploads/keys/ijklmnop/in.jsonl", False),
        (KEY_ID, "uploads/in.jsonl", False),
        (KEY_ID, f"uploads/keys/{KEY_ID}/../ijklmnop/in.jsonl", False),
    ],
)
def test_a_pointer_may_name_only_what_is_its_owners(owner: str, key: str, is_allowed: bool) -> None:
    """Otherwise whoever may send messages could read what others have dropped."""
    scene = Scene()
    scene.world.objects[key] = b'{"text": "a"}\n'

    batch = job(scene, source=f"s3://bucket/{key}", owner=owner)

    assert (batch.problem is None) is is_allowed


def test_what_is_not_there_is_refused() -> None:
    """An object that was deleted before its event came, and a pointer to nothing."""
    scene = Scene()
    ports = scene.world.ports()

    dropped = intake_object(ports, "inbox/messages/gone.jsonl", '"1"', scene.clock(), in_use)
    pointed_to = job(scene, source="s3://bucket/uploads/gone.jsonl")

    assert dropped.problem == pointed_to.problem == "The object was deleted or replaced before it was read"


def test_options_come_from_the_folder_the_metadata_and_the_first_line() -> None:
    """They are in the record, so that nothing changes its mind later."""
    scene = Scene()
    body = b'{"job": {"max_tokens": 9}}\n{"text": "a"}\n'

    batch = scene.drop(body, "inbox/summarize/eli5/in.jsonl", {"megallm-max-cost": "2.5"})

    options = batch.job.options
    assert (options["style"], options["max_cost"], options["max_tokens"]) == ("eli5", 2.5, 9)
    assert (batch.total, batch.max_microdollars) == (1, 2_500_000)


def test_metadata_that_contradicts_its_folder_is_refused() -> None:
    """Whoever may write to one folder must not get another's task by a header."""
    scene = Scene()

    batch = scene.drop(b'{"text": "a"}\n', "inbox/summarize/eli5/in.jsonl", {"megallm-style": "executive"})

    assert batch.problem == "style: the folder says it; the metadata must not"


def test_a_first_item_with_options_counts_in_a_job_message_too() -> None:
    """It is no item, as in a file."""
    scene = Scene()

    batch = job(scene, items=[{"job": {"max_tokens": 9}}, {"text": "a"}])

    assert (batch.problem, batch.total, batch.job.options["max_tokens"]) == (None, 1, 9)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("inbox/messages/in.jsonl", b""),
        ("inbox/messages/in.jsonl", b"\n \n"),
        ("inbox/messages/in.jsonl", "héllo".encode("utf-16")),
        ("inbox/messages/in.jsonl", b"\x00\x01\x02" * 10),
        ("inbox/messages/in.jsonl.gz", gzip.compress(message_lines(["a"]), mtime=0)[:-9]),
        ("inbox/messages/in.jsonl.gz", gzip.compress(b"0" * 30_000_000, mtime=0)),
        ("inbox/summarize/haiku/in.jsonl", b'{"text": "a"}\n'),
        ("inbox/translate/klingon-empire/in.jsonl", b'{"text": "a"}\n'),
        ("inbox/dance/in.jsonl", b'{"text": "a"}\n'),
    ],
)
def test_an_input_that_cannot_be_worked_on_is_a_batch_that_ends(key: str, body: bytes) -> None:
    """With a problem, a manifest and an empty file of results; and nothing of it is left in the work folder."""
    scene = Scene()

    batch = scene.drop(body, key)

    assert batch.state == "ended"
    assert batch.problem
    assert manifest_of(scene, batch)["problem"] == batch.problem
    assert not [key for key in scene.world.objects if key.startswith("work/")]


ROWS = message_lines(["a", "b"]).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("inbox/messages/in.jsonl.gz", gzip.compress(ROWS[0], mtime=0) + gzip.compress(ROWS[1], mtime=0)),
        ("inbox/messages/in.json", b"[" + b",".join(ROWS) + b"]"),
    ],
)
def test_what_cannot_be_cut_is_written_as_lines_first(key: str, body: bytes) -> None:
    """Gzip with all of its members, and a JSON array."""
    scene = Scene()

    batch = scene.drop(body, key)
    scene.work()
    scene.finish()

    assert batch.lines == f"work/{batch.id}/input.jsonl"
    assert [told for _, told in scene.results()] == ["re: a", "re: b"]


def test_a_text_is_one_item() -> None:
    """The whole document."""
    scene = Scene(upstream=Upstream())

    scene.drop(b"One line.\nAnother.\n", "inbox/translate/es/letter.txt")
    scene.work()
    scene.finish()

    assert scene.batch().counts == Counts(succeeded=1)
    assert "One line.\nAnother." in scene.upstream.calls[0]


def test_a_dry_run_counts_and_calls_nothing() -> None:
    """Items, tokens and price at most are in the manifest; the record says that it cost nothing."""
    scene = Scene()
    body = message_lines(["a" * 400, "b" * 400]) + b"nonsense\n"

    batch = scene.drop(body, metadata={"dry-run": "true"})

    told = manifest_of(scene, batch)
    assert (batch.state, batch.total, batch.spent.calls) == ("ended", 3, 0)
    assert told["counts"]["total"] == 3
    assert told["usage"]["calls"] == 2
    assert told["usage"]["output_tokens"] == 100
    assert told["usage"]["cost_usd"] == pytest.approx(
        (told["usage"]["input_tokens"] * 2 + told["usage"]["output_tokens"] * 10) / 1e6
    )
    assert sum(told["failures"].values()) == 1
    assert scene.upstream.calls == []
    assert scene.world.part_messages == []
    assert scene.world.told == [batch]


def test_a_dry_run_knows_no_cost_of_a_model_without_prices() -> None:
    """Of several models, it tells that of those with prices."""
    scene = Scene()

    unpriced = scene.drop(message_lines(["a"], model="unpriced"), metadata={"dry-run": "true"})
    both = scene.drop(
        message_lines(["a"], model="unpriced") + message_lines(["b"]).replace(b"id-1", b"id-2"),
        metadata={"dry-run": "true"},
    )

    assert manifest_of(scene, unpriced)["usage"]["cost_usd"] is None
    assert manifest_of(scene, both)["usage"]["cost_usd"] > 0


def test_an_input_that_the_allowance_cannot_carry_in_a_day_is_refused() -> None:
    """The reason says how long it would take."""
    scene = Scene()
    scene.world.objects["inbox/messages/in.jsonl"] = message_lines(["x" * 60_000])

    batch = intake_object(
        scene.world.ports(),
        "inbox/messages/in.jsonl",
        "",
        scene.clock(),
        in_use,
        IndexRules(tokens_a_minute=lambda owner: 10),
    )

    assert batch.problem is not None
    assert "25 hours" in batch.problem


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ([f"{number:04}" for number in range(21)], "should have at most 20 items"),
        (["x" * 129], "anthropic_beta.0: String should match"),
    ],
)
def test_options_that_no_record_could_hold_refuse_the_batch(flags: list[str], problem: str) -> None:
    """DynamoDB's items have 400 KB: the refusal has a record, a manifest and an event as any other has."""
    scene = Scene()

    batch = scene.drop(to_json({"job": {"anthropic_beta": flags}}) + b"\n" + message_lines(["a"]))

    assert batch.state == "ended"
    assert problem in (batch.problem or "")
    assert len(to_json(batch_to_item(batch))) < 4000
    assert manifest_of(scene, batch)["problem"] == batch.problem
    assert scene.world.told == [batch]


@pytest.mark.parametrize("dry_run", [False, True])
def test_texts_for_a_model_without_prices_cannot_have_a_max_cost(dry_run: bool) -> None:
    """Each of them would be an error, or cost nothing in a dry run."""
    scene = Scene()

    batch = job(scene, items=[{"text": "a"}], options={"model": "unpriced", "max_cost": 1, "dry_run": dry_run})

    assert (batch.state, batch.problem) == ("ended", "max_cost: the catalogue has no prices of unpriced")
    assert scene.world.told == [batch]


def test_without_a_limit_texts_need_no_prices() -> None:
    """And with one, those with prices, or for a model that there is not, are worked on."""
    scene = Scene()

    free = job(scene, "1", items=[{"text": "a"}], options={"model": "unpriced"})
    priced = job(scene, "2", items=[{"text": "a"}], options={"max_cost": 1})
    unknown = job(scene, "3", items=[{"text": "a"}], options={"model": "unknown", "max_cost": 1})

    assert [batch.state for batch in (free, priced, unknown)] == ["in_progress"] * 3


def test_a_dry_run_with_a_limit_tells_of_messages_without_prices() -> None:
    """As the batch itself would; those with prices are counted."""
    scene = Scene()
    body = message_lines(["a"], model="unpriced") + message_lines(["b"]).replace(b"id-1", b"id-2")

    batch = scene.drop(body, metadata={"dry-run": "true", "max-cost": "1"})

    told = manifest_of(scene, batch)
    assert told["usage"]["calls"] == 1
    assert told["failures"] == {"invalid_request_error: max_cost: the catalogue has no prices of unpriced": 1}
