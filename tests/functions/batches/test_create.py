"""The route that makes a batch: what it records, sends to work and tells, and what it refuses."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from megallm.batches.model import Part, Source, lines_key
from megallm.batches.options import job_of
from megallm.operations.batch_sender import sender_of
from megallm.operations.route_call import Sender
from megallm.settings import Settings
from tests.batch_fakes import Process, World, version_of
from tests.functions.batches.talking import PATH, Talk, error_of, gateway_of, item


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
