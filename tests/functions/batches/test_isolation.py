"""A key sees and touches only its own batches: a test a route (C42)."""

import pytest

from megallm.batches.model import OPERATOR, Batch, Job, Source
from tests.fakes import KEY
from tests.functions.batches.talking import OTHER_KEY, PATH, Talk, error_of

SECRET = b'{"custom_id":"a","result":{"type":"canceled"}}\n'


def foreign(talk: Talk, *, ended: bool = True) -> str:
    """The id of a batch of another key."""
    batch_id: str = talk.create("a", key=OTHER_KEY)["id"]
    if ended:
        talk.end(batch_id, [SECRET])
    return batch_id


def not_there(batch_id: str) -> tuple[int, dict[str, str]]:
    return 404, {"type": "not_found_error", "message": f"There is no batch with the id {batch_id}"}


@pytest.mark.parametrize(
    ("method", "tail", "ended"),
    [
        ("GET", "", True),
        ("GET", "", False),
        ("GET", "/results", True),
        ("GET", "/results", False),
        ("HEAD", "/results", True),
        ("POST", "/cancel", False),
        ("POST", "/cancel", True),
        ("DELETE", "", True),
        ("DELETE", "", False),
    ],
)
def test_a_foreign_batch_is_not_there(method: str, tail: str, ended: bool) -> None:
    """As if it did not exist, whatever its state; and it stays as it was."""
    talk = Talk()
    batch_id = foreign(talk, ended=ended)
    before, objects = talk.batch(batch_id), dict(talk.world.objects)

    answer = talk.send(method, f"{PATH}/{batch_id}{tail}", key=KEY)

    assert answer.status_code == 404
    if method != "HEAD":
        assert error_of(answer) == not_there(batch_id)
    assert (talk.batch(batch_id), talk.world.objects) == (before, objects)


def test_a_list_has_only_the_key_s_own() -> None:
    """And neither cursor tells whether a foreign batch exists."""
    talk = Talk()
    foreign_id, own_id = foreign(talk), talk.create("a")["id"]

    listed = talk.send("GET").json()
    cursors = [error_of(talk.send("GET", f"{PATH}?{name}={foreign_id}")) for name in ("after_id", "before_id")]

    assert [batch["id"] for batch in listed["data"]] == [own_id]
    assert cursors == [
        (
            400,
            {"type": "invalid_request_error", "message": f"{name}: there is no batch with this id", "param": name},
        )
        for name in ("after_id", "before_id")
    ]


def test_a_new_batch_is_nobody_else_s() -> None:
    """Not even where the ids of its requests are the same."""
    talk = Talk()
    first = talk.create("a", key=OTHER_KEY)["id"]

    second = talk.create("a", key=KEY)["id"]

    assert [batch["id"] for batch in talk.send("GET", key=OTHER_KEY).json()["data"]] == [first]
    assert [batch["id"] for batch in talk.send("GET", key=KEY).json()["data"]] == [second]


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")])
def test_the_operator_s_batches_are_no_key_s(method: str, tail: str) -> None:
    """DESIGN: what was dropped into the bucket belongs to whoever reaches it there."""
    talk = Talk()
    batch_id = "msgbatch_" + "a" * 24
    batch = Batch(batch_id, OPERATOR, Job("summarize"), Source("inbox/x", "1", "x"), "in_progress", 1.0, 2.0)
    talk.world.ports().store.create(batch)

    answer = talk.send(method, f"{PATH}/{batch_id}{tail}")

    assert error_of(answer) == not_there(batch_id)
    assert talk.send("GET").json()["data"] == []
    assert talk.batch(batch_id) == batch
