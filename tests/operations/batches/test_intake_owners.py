"""Whose a batch is that comes in: keys, the operator, and what each may point to."""

import pytest

from megallm.batches.model import OPERATOR, Batch, result_key
from tests.operations.batches.harness import Scene, message_lines
from tests.operations.batches.intake import KEY_ID, job, manifest_of, revoked, unknown


def test_an_object_below_a_keys_prefix_is_that_keys() -> None:
    """What lies elsewhere is the operator's."""
    scene = Scene()

    assert scene.drop(message_lines(["a"]), f"inbox/keys/{KEY_ID}/messages/in.jsonl").owner == KEY_ID
    assert scene.drop(message_lines(["a"]), "inbox/messages/in.jsonl").owner == OPERATOR


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
