"""The routes of Message Batches: what each of them answers and does."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest

from megallm.batches.model import Counts, Part, Source, lines_key
from megallm.batches.options import job_of
from megallm.operations.batch_sender import sender_of
from megallm.operations.route_call import Sender
from megallm.settings import Settings
from tests.batch_fakes import Process, World, version_of
from tests.fakes import KEY, gateway
from tests.functions.batches.talking import BASE, PATH, Talk, error_of, gateway_of, item

TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{6})?Z")


def test_a_new_batch_is_in_progress() -> None:
    """C42: in the SDK's MessageBatch shape; all of it counts as processing, and there are no results yet."""
    batch = Talk().create("a", "b")

    times = [batch.pop(name) for name in ("created_at", "expires_at")]
    assert all(TIME.fullmatch(each) for each in times)
    assert re.fullmatch("msgbatch_[0-9a-f]{24}", batch.pop("id"))
    assert batch == {
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        "ended_at": None,
        "cancel_initiated_at": None,
        "archived_at": None,
        "results_url": None,
    }


def test_a_new_batch_is_recorded_and_its_parts_are_sent_to_work() -> None:
    """DESIGN: the lines first, pinned to their version; then the record, the parts, the start, the queue."""
    process, world = Process(), World()
    talk = Talk(world, replace(gateway_of(world), batches=world.ports(process)))

    batch_id = talk.create("a", "b")["id"]

    key = lines_key(batch_id)
    lines = b"".join(json.dumps(item(custom_id)).encode() + b"\n" for custom_id in "ab")
    batch = talk.batch(batch_id)
    assert world.objects == {key: lines}
    assert (batch.owner, batch.job, batch.state, batch.total, batch.parts) == (
        "abcdefgh",
        job_of("messages", {}),
        "in_progress",
        2,
        1,
    )
    assert batch.source == Source(key, version_of(lines), "requests.jsonl", len(lines))
    assert (batch.lines, batch.lines_version) == (key, version_of(lines))
    assert batch.expires_at - batch.created_at == 24 * 3600
    (part,) = world.parts[batch_id].values()
    assert part == Part(batch_id, 1, 0, len(lines), 1, 2, queued_at=part.queued_at)
    assert batch.created_at <= part.queued_at < batch.created_at + 5
    assert world.part_messages == [(batch_id, 1)]
    assert process.effects == [f"put {key}", "create", "add parts", "start", "send parts", "queued"]


def test_the_dialect_of_the_request_is_that_of_its_items() -> None:
    """C03: version and betas of the request hold for every item, and so does whom it is for."""
    talk = Talk()
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": "one,two", "anthropic-user-profile-id": "up_1"}

    answer = talk.send("POST", PATH + "?beta=true", body={"requests": [item("a")]}, headers=headers)

    assert sender_of(talk.batch(answer.json()["id"]).job) == Sender(
        "2026-10-21", ("one", "two"), headers=(("anthropic-user-profile-id", "up_1"),)
    )


def test_a_refused_batch_leaves_nothing() -> None:
    """C42: its index is named, and nothing was recorded or sent."""
    talk = Talk()

    answer = talk.send("POST", body={"requests": [item("a"), item("a")]})

    assert error_of(answer) == (
        400,
        {
            "type": "invalid_request_error",
            "message": "requests.1.custom_id: 'a' is there twice; it must be unique",
            "param": "requests.1.custom_id",
        },
    )
    assert (talk.world.batches, talk.world.objects, talk.world.part_messages) == ({}, {}, [])


def test_a_body_over_the_limit_names_what_carries_more() -> None:
    """C09, C42: where one HTTP body carries less than 32 MB, a batch carries no more."""
    world = World()
    talk = Talk(world, gateway_of(world, Settings(max_body_bytes=1024)))

    told = [
        error_of(talk.send("POST", body={"requests": [item("a", system="x" * 1024)]})),
        error_of(talk.send("POST", content=_pieces(2048))),
    ]

    assert told == 2 * [
        (
            413,
            {
                "type": "request_too_large",
                "message": "The request body is larger than the 1024 bytes that this deployment takes here; "
                "drop a file into S3, or use `megallm batch submit`, which carry more",
            },
        )
    ]
    assert world.objects == {}


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 64):
        yield b" " * 64


def test_a_new_batch_tells_when_it_will_be_done() -> None:
    """DESIGN: by the allowance of the key's batches; here 1,500 tokens, and 5 of a reply, at 100 a minute."""
    world = World()
    talk = Talk(world, gateway_of(world, Settings(batch_tokens_per_minute=100)))
    requests = [item("a", system="x" * 6000)]

    answer = talk.send("POST", body={"requests": requests})

    told = datetime.fromisoformat(answer.headers["megallm-batch-expected-end"])
    created = datetime.fromisoformat(answer.json()["created_at"])
    assert 900 < (told - created).total_seconds() < 960
    later = talk.send("GET", f"{PATH}/{answer.json()['id']}")
    assert later.headers["megallm-batch-expected-end"] == answer.headers["megallm-batch-expected-end"]


def test_a_batch_that_cannot_end_in_a_day_is_refused() -> None:
    """DESIGN: the allowance of the key's batches is not enough for its input alone."""
    world = World()
    talk = Talk(world, gateway_of(world, Settings(batch_tokens_per_minute=10)))

    answer = talk.send("POST", body={"requests": [item("a", system="x" * 60_000)]})

    assert error_of(answer) == (
        400,
        {
            "type": "invalid_request_error",
            "message": "At 10 tokens a minute, the allowance of its owner's batches, this batch would take about 25 "
            "hours; a batch has 24",
        },
    )
    assert (world.batches, world.objects) == ({}, {})


def test_a_batch_may_be_larger_than_a_message() -> None:
    """C42: 256 MB, where a server carries them; the body is never in memory as a whole."""
    talk = Talk()
    requests = [item(f"item-{number}", system="x" * 1_000_000) for number in range(40)]

    answer = talk.send("POST", body={"requests": requests})

    assert (answer.status_code, answer.json()["request_counts"]["processing"]) == (200, 40)


def test_another_content_type_is_refused() -> None:
    """C08: as for a message."""
    answer = Talk().send("POST", content=b"{}", headers={"content-type": "text/plain"})

    assert error_of(answer) == (
        400,
        {"type": "invalid_request_error", "message": "The content-type must be application/json"},
    )


def test_batches_are_listed_the_newest_first_in_pages() -> None:
    """C42: the page shape of the SDKs, forwards and backwards."""
    talk = Talk()
    ids = [talk.create("a")["id"] for _ in range(5)][::-1]

    def page(query: str) -> tuple[list[str], bool, str | None, str | None]:
        told = talk.send("GET", PATH + query).json()
        assert set(told) == {"data", "has_more", "first_id", "last_id"}
        return [batch["id"] for batch in told["data"]], told["has_more"], told["first_id"], told["last_id"]

    assert page("") == (ids, False, ids[0], ids[4])
    assert page("?limit=2") == (ids[:2], True, ids[0], ids[1])
    assert page(f"?limit=2&after_id={ids[1]}") == (ids[2:4], True, ids[2], ids[3])
    assert page(f"?limit=2&after_id={ids[3]}") == (ids[4:], False, ids[4], ids[4])
    assert page(f"?limit=2&before_id={ids[3]}") == (ids[1:3], True, ids[1], ids[2])
    assert page(f"?limit=2&before_id={ids[0]}") == ([], False, None, None)


def test_a_page_has_20_batches_unless_told_otherwise() -> None:
    """C42: as the SDK documents it."""
    talk = Talk()
    for _ in range(21):
        talk.create("a")

    assert len(talk.send("GET").json()["data"]) == 20
    assert len(talk.send("GET", PATH + "?limit=1000").json()["data"]) == 21


@pytest.mark.parametrize(
    ("query", "message", "param"),
    [
        ("limit=0", "limit: Input should be a whole number from 1 to 1000", "limit"),
        ("limit=1001", "limit: Input should be a whole number from 1 to 1000", "limit"),
        ("limit=two", "limit: Input should be a whole number from 1 to 1000", "limit"),
        ("after_id=msgbatch_1", "after_id: there is no batch with this id", "after_id"),
        ("before_id=" + "x" * 3000, "before_id: there is no batch with this id", "before_id"),
        ("after_id=a&before_id=b", "before_id: only one of after_id and before_id can be given", "before_id"),
    ],
)
def test_a_page_that_cannot_be_is_refused(query: str, message: str, param: str) -> None:
    """C42: naming the parameter."""
    answer = Talk().send("GET", f"{PATH}?{query}")

    assert error_of(answer) == (400, {"type": "invalid_request_error", "message": message, "param": param})


def test_a_batch_that_has_ended_tells_its_counts_and_where_its_results_are() -> None:
    """C42: and the sum of the counts is that of the requests."""
    talk = Talk()
    batch_id = talk.create("a", "b", "c", "d")["id"]
    talk.end(batch_id, counts=Counts(1, 1, 1, 1))

    batch = talk.send("GET", f"{PATH}/{batch_id}").json()

    assert (batch["processing_status"], TIME.fullmatch(batch["ended_at"]) is not None) == ("ended", True)
    assert batch["request_counts"] == {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 1, "expired": 1}
    assert batch["results_url"] == f"{BASE}{PATH}/{batch_id}/results"


def test_counts_wait_for_the_end_of_the_whole_batch() -> None:
    """C42: the SDK documents them as zero until then, though parts are done."""
    talk = Talk()
    batch_id = talk.create("a", "b")["id"]
    talk.world.batches[batch_id] = replace(talk.batch(batch_id), counts=Counts(succeeded=1))

    counts = talk.send("GET", f"{PATH}/{batch_id}").json()["request_counts"]

    assert counts == {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


def test_canceling_is_seen_at_once_and_keeps_its_first_time() -> None:
    """C42: asked twice, it is the same."""
    talk = Talk()
    batch_id = talk.create("a")["id"]

    first, second = (talk.send("POST", f"{PATH}/{batch_id}/cancel").json() for _ in range(2))

    assert first == second
    assert (first["processing_status"], TIME.fullmatch(first["cancel_initiated_at"]) is not None) == ("canceling", True)
    assert first["request_counts"]["processing"] == 1


def test_canceling_what_has_ended_changes_nothing() -> None:
    """The end may come while the request is under way: that is no fault of the caller's."""
    talk = Talk()
    batch_id = talk.create("a")["id"]
    talk.end(batch_id)

    answer = talk.send("POST", f"{PATH}/{batch_id}/cancel")

    assert (answer.status_code, answer.json()["processing_status"]) == (200, "ended")
    assert answer.json()["cancel_initiated_at"] is None


def test_what_expires_was_not_canceled() -> None:
    """C42: cancel_initiated_at is told only where somebody asked for it."""
    talk = Talk()
    batch_id = talk.create("a")["id"]
    talk.world.ports().store.stop(batch_id, "expired", 5.0)

    batch = talk.send("GET", f"{PATH}/{batch_id}").json()

    assert (batch["processing_status"], batch["cancel_initiated_at"]) == ("in_progress", None)


def test_a_deleted_batch_is_gone_with_all_its_objects() -> None:
    """C42: results, and what the workers left; and nothing of another batch."""
    talk = Talk()
    batch_id, other_id = (talk.create("a")["id"] for _ in range(2))
    talk.end(batch_id, [b"{}\n"])
    talk.end(other_id, [b"{}\n"])
    talk.world.objects[f"results/{batch_id}/manifest.json"] = b"{}"
    talk.world.objects[f"work/{batch_id}/000001/0001-000001.jsonl"] = b""

    answer = talk.send("DELETE", f"{PATH}/{batch_id}")

    assert (answer.status_code, answer.json()) == (200, {"id": batch_id, "type": "message_batch_deleted"})
    assert sorted(talk.world.objects) == [f"results/{other_id}/results.jsonl", lines_key(other_id)]
    assert talk.send("GET", f"{PATH}/{batch_id}").status_code == 404
    assert talk.send("DELETE", f"{PATH}/{batch_id}").status_code == 404


def test_a_running_batch_is_not_deleted() -> None:
    """C42: the SDK documents that it must be canceled first."""
    talk = Talk()
    batch_id = talk.create("a")["id"]
    talk.send("POST", f"{PATH}/{batch_id}/cancel")

    answer = talk.send("DELETE", f"{PATH}/{batch_id}")

    assert error_of(answer) == (
        400,
        {
            "type": "invalid_request_error",
            "message": f"The batch {batch_id} has not ended: cancel it first, and delete it when it has ended",
        },
    )
    assert batch_id in talk.world.batches


def test_the_results_are_the_lines_of_the_file() -> None:
    """C42: JSON lines, with their length told, so that a client notices where they break off."""
    talk = Talk()
    batch_id = talk.create("a")["id"]
    lines = [b'{"custom_id":"a","result":{"type":"canceled"}}\n', b"x" * 3_000_000 + b"\n"]
    talk.end(batch_id, lines)

    answer = talk.send("GET", f"{PATH}/{batch_id}/results")
    asked = talk.send("HEAD", f"{PATH}/{batch_id}/results")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-jsonl")
    assert (answer.content, answer.headers["content-length"]) == (b"".join(lines), str(len(b"".join(lines))))
    assert (asked.status_code, asked.content, asked.headers["content-length"]) == (
        200,
        b"",
        answer.headers["content-length"],
    )


def test_no_results_are_an_empty_file() -> None:
    """A batch that was refused as a whole has none."""
    talk = Talk()
    batch_id = talk.create("a")["id"]
    talk.end(batch_id, [])

    answer = talk.send("GET", f"{PATH}/{batch_id}/results")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_running_batch_has_no_results() -> None:
    """C42: a 4xx that says so."""
    talk = Talk()
    batch_id = talk.create("a")["id"]

    answer = talk.send("GET", f"{PATH}/{batch_id}/results")

    assert error_of(answer) == (
        400,
        {
            "type": "invalid_request_error",
            "message": f"The batch {batch_id} has not ended: its results are there once it has",
        },
    )


def test_results_that_are_there_no_more_are_not_found() -> None:
    """Somebody may have removed the object."""
    talk = Talk()
    batch_id = talk.create("a")["id"]
    talk.end(batch_id)
    del talk.world.objects[f"results/{batch_id}/results.jsonl"]

    answer = talk.send("GET", f"{PATH}/{batch_id}/results")

    assert error_of(answer) == (
        404,
        {"type": "not_found_error", "message": f"The results of the batch {batch_id} are no longer there"},
    )


ONE = [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/results")]


@pytest.mark.parametrize(("method", "tail"), ONE)
@pytest.mark.parametrize("batch_id", ["msgbatch_" + "0" * 24, "msgbatch_1", "x" * 3000, "%ff", "msgbatch_%0a"])
def test_an_unknown_batch_is_not_found(method: str, tail: str, batch_id: str) -> None:
    """C43: whatever stands in its place."""
    status, error = error_of(Talk().send(method, f"{PATH}/{batch_id}{tail}"))

    assert (status, error["type"], len(error["message"]) < 200) == (404, "not_found_error", True)


@pytest.mark.parametrize(("method", "tail"), [("POST", None), ("GET", None), *ONE])
def test_every_route_wants_a_key(method: str, tail: str | None) -> None:
    """C01: before it says anything else."""
    talk = Talk()
    path = PATH if tail is None else f"{PATH}/{talk.create('a')['id']}{tail}"

    status, error = error_of(talk.send(method, path, key=None))

    assert (status, error["type"]) == (401, "authentication_error")


@pytest.mark.parametrize(("method", "tail"), [("POST", None), ("GET", None), *ONE])
def test_a_deployment_without_batches_says_so(method: str, tail: str | None) -> None:
    """C43: a clean 404 on every route."""
    talk = Talk(composed=gateway())
    path = PATH if tail is None else f"{PATH}/msgbatch_1{tail}"

    answer = talk.send(method, path, body={"requests": [item("a")]} if method == "POST" else None)

    assert error_of(answer) == (
        404,
        {
            "type": "not_found_error",
            "message": "This deployment has no batches: it was set up without a bucket for them",
        },
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", PATH),
        ("DELETE", PATH),
        ("POST", f"{PATH}/x"),
        ("GET", f"{PATH}/x/cancel"),
        ("POST", f"{PATH}/x/results"),
    ],
)
def test_another_method_is_refused(method: str, path: str) -> None:
    """C43: in the envelope."""
    status, error = error_of(Talk().send(method, path, key=KEY))

    assert (status, error["type"]) == (405, "invalid_request_error")
