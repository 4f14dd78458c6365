"""Message Batches through each SDK: the whole life of a batch, its pages, its errors (C42)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from megallm.batches.model import message_id_of, request_id_of
from megallm.errors import UpstreamMisconfigured
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from megallm.settings import Settings
from tests.contract.batch_engine import OTHER_KEY, BatchEngine, requests
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect
from tests.contract.samples import usage_on_wire
from tests.contract.server import RunningServer
from tests.fakes import ScriptedProvider, Step, text_reply

Json = Any  # what goes over the wire
Run = Callable[[BatchEngine], RunningServer]


@pytest.fixture
def run(stopping: list[RunningServer]) -> Iterator[Run]:
    """Starts a server over an engine."""
    with ExitStack() as stack:

        def start(engine: BatchEngine) -> RunningServer:
            server = RunningServer(engine.gateway)
            server.start()
            stack.callback(stopping.append, server)
            stack.callback(server.stop)
            return server

        yield start


def echo(call: Call[MessagesRequest]) -> Sequence[Step]:
    """Says back what it was asked; what it is asked to fail at fails."""
    said = str(call.request.messages[0].content)
    return [UpstreamMisconfigured("The upstream refused")] if said == "fail" else text_reply(said)


def message(batch_id: str, record: int, text: str) -> Json:
    return {
        "id": message_id_of(batch_id, record),
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage_on_wire(7, 3),
    }


def errored(batch_id: str, record: int, **error: Json) -> Json:
    envelope = {"type": "error", "error": error, "request_id": request_id_of(batch_id, record)}
    return {"type": "errored", "error": envelope}


@pytest.mark.parametrize("resource", ["messages.batches", "beta.messages.batches"])
def test_the_whole_life_of_a_batch(connect: Connect, run: Run, resource: str) -> None:
    """C42: created, followed, read in the order of the requests, deleted; each failure as its own envelope."""
    engine = BatchEngine(ScriptedProvider(echo))
    server = run(engine)
    sdk = connect(server)
    asked = [*requests(["first", "fail"]), *requests(["third"], max_tokens=-1), *requests(["last"])]

    created = sdk.fetch(f"{resource}.create", requests=asked)
    batch_id = created["id"]
    running = sdk.fetch(f"{resource}.retrieve", batch_id)
    engine.work()
    ended = sdk.fetch(f"{resource}.retrieve", batch_id)
    results = sdk.fetch_all(f"{resource}.results", batch_id)
    listed = sdk.fetch_all(f"{resource}.list")
    deleted = sdk.fetch(f"{resource}.delete", batch_id)
    left = sdk.fetch_all(f"{resource}.list")

    assert created == running
    assert (running["processing_status"], running["results_url"]) == ("in_progress", None)
    assert running["request_counts"] == {"processing": 4, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    assert ended["processing_status"] == "ended"
    assert ended["request_counts"] == {"processing": 0, "succeeded": 2, "errored": 2, "canceled": 0, "expired": 0}
    assert ended["results_url"] == f"{server.url}/v1/messages/batches/{batch_id}/results"
    assert results == [
        {"custom_id": "first", "result": {"type": "succeeded", "message": message(batch_id, 1, "first")}},
        {"custom_id": "fail", "result": errored(batch_id, 2, type="api_error", message="The upstream refused")},
        {
            "custom_id": "third",
            "result": errored(
                batch_id,
                3,
                type="invalid_request_error",
                message="max_tokens: Input should be greater than or equal to 0",
                param="max_tokens",
            ),
        },
        {"custom_id": "last", "result": {"type": "succeeded", "message": message(batch_id, 4, "last")}},
    ]
    assert listed == [ended]
    assert (deleted, left) == ({"id": batch_id, "type": "message_batch_deleted"}, [])
    assert engine.world.objects == {}


def test_betas_and_version_reach_every_item(connect: Connect, run: Run) -> None:
    """C03: as if each had been a message of its own."""
    engine = BatchEngine()
    sdk = connect(run(engine))

    sdk.fetch("beta.messages.batches.create", requests=requests(["a", "b"]), betas=["one-2026-01-01"])
    engine.work()

    sent = [(call.betas, call.version) for call in engine.provider.calls]
    betas = sent[0][0]
    assert "one-2026-01-01" in betas
    assert sent == 2 * [(betas, sdk.driver.generation.api_version)]


def test_the_sdk_follows_the_pages(connect: Connect, run: Run) -> None:
    """C42: two batches a page, the newest first; and from a batch on in either direction."""
    sdk = connect(run(BatchEngine()))
    ids = [sdk.fetch("messages.batches.create", requests=requests(["a"]))["id"] for _ in range(5)][::-1]

    def found(**query: Json) -> list[str]:
        return [batch["id"] for batch in sdk.fetch_all("messages.batches.list", **query)]

    assert found(limit=2) == ids
    assert found(limit=2, after_id=ids[1]) == ids[2:]
    assert sorted(found(limit=2, before_id=ids[3])) == sorted(ids[:3])


def test_a_canceled_batch_ends_with_what_it_has(connect: Connect, run: Run) -> None:
    """C42: what was not done is canceled; it can be read and deleted."""
    engine = BatchEngine()
    sdk = connect(run(engine))
    batch_id = sdk.fetch("messages.batches.create", requests=requests(["a", "b"]))["id"]

    canceling = sdk.fetch("messages.batches.cancel", batch_id)
    engine.work()
    ended = sdk.fetch("messages.batches.retrieve", batch_id)
    results = sdk.fetch_all("messages.batches.results", batch_id)

    assert (canceling["processing_status"], canceling["cancel_initiated_at"] is None) == ("canceling", False)
    assert ended["processing_status"] == "ended"
    assert ended["cancel_initiated_at"] == canceling["cancel_initiated_at"]
    assert ended["request_counts"] == {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 2, "expired": 0}
    assert results == [{"custom_id": custom_id, "result": {"type": "canceled"}} for custom_id in "ab"]
    assert engine.provider.calls == []


def test_results_are_asked_for_once_they_are_there(connect: Connect, run: Run) -> None:
    """C42: before the end there is no results_url, and the SDK says so itself."""
    sdk = connect(run(BatchEngine()))
    batch_id = sdk.fetch("messages.batches.create", requests=requests(["a"]))["id"]

    with pytest.raises(SdkError, match="Has it finished processing"):
        sdk.fetch_all("messages.batches.results", batch_id)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([], "requests: List should have at least 1 item"),
        (requests(["a", "b", "a"]), "requests.2.custom_id: 'a' is there twice; it must be unique"),
        (
            requests(["not allowed"]),
            "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
        ),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
    ],
)
def test_a_batch_that_cannot_be_is_a_bad_request(connect: Connect, run: Run, wrong: Json, told: str) -> None:
    """C42: which names the index."""
    engine = BatchEngine()
    sdk = connect(run(engine), max_retries=2)

    with pytest.raises(SdkError) as raised:
        sdk.fetch("messages.batches.create", requests=wrong)

    error = raised.value
    assert (error.name, error.status, error.type, error.message) == (
        "BadRequestError",
        400,
        "invalid_request_error",
        told,
    )
    assert engine.world.batches == {}


def test_a_batch_over_the_limit_is_told_what_carries_more(connect: Connect, run: Run) -> None:
    """C42: as where a Lambda carries 6 MB."""
    sdk = connect(run(BatchEngine(settings=Settings(max_body_bytes=6 * 1024 * 1024))))

    with pytest.raises(SdkError) as raised:
        sdk.fetch("messages.batches.create", requests=requests([f"item-{n}" for n in range(7)], system="x" * 1_000_000))

    error = raised.value
    assert (error.status, error.body["error"]) == (
        413,
        {
            "type": "request_too_large",
            "message": "The request body is larger than the 6291456 bytes that this deployment takes here; "
            "drop a file into S3, or use `megallm batch submit`, which carry more",
        },
    )


def test_a_large_batch_is_taken(connect: Connect, run: Run) -> None:
    """C42: beyond what a message may have, with every line of it in its place."""
    engine = BatchEngine()
    ids = [f"item-{number}" for number in range(40)]

    sdk = connect(run(engine))
    batch = sdk.fetch("messages.batches.create", requests=requests(ids, system="x" * 1_000_000))
    engine.work()

    assert [each["custom_id"] for each in sdk.fetch_all("messages.batches.results", batch["id"])] == ids


@pytest.mark.parametrize("method", ["retrieve", "cancel", "delete", "results"])
def test_a_foreign_batch_is_not_found(connect: Connect, run: Run, method: str) -> None:
    """C42: a key sees only its own, whatever it asks."""
    engine = BatchEngine()
    server = run(engine)
    theirs, mine = connect(server, api_key=OTHER_KEY), connect(server)
    batch_id = theirs.fetch("messages.batches.create", requests=requests(["a"]))["id"]
    engine.work()
    before = dict(engine.world.batches), dict(engine.world.objects)

    with pytest.raises(SdkError) as raised:
        mine.call(f"messages.batches.{method}", batch_id)

    error = raised.value
    assert (error.name, error.status, error.type) == ("NotFoundError", 404, "not_found_error")
    assert error.message == f"There is no batch with the id {batch_id}"
    assert (engine.world.batches, engine.world.objects) == before
    assert mine.fetch_all("messages.batches.list") == []


def test_a_running_batch_is_not_deleted(connect: Connect, run: Run) -> None:
    """C42: it must be canceled first, as the SDK documents."""
    sdk = connect(run(BatchEngine()), max_retries=2)
    batch_id = sdk.fetch("messages.batches.create", requests=requests(["a"]))["id"]

    with pytest.raises(SdkError) as raised:
        sdk.call("messages.batches.delete", batch_id)

    assert (raised.value.name, raised.value.status) == ("BadRequestError", 400)


def test_a_wrong_key_makes_no_batch(connect: Connect, run: Run) -> None:
    """C39: as everywhere."""
    engine = BatchEngine()

    with pytest.raises(SdkError) as raised:
        connect(run(engine), api_key="mega_abcdefgh_" + "w" * 43).fetch(
            "messages.batches.create", requests=requests(["a"])
        )

    assert (raised.value.name, raised.value.status) == ("AuthenticationError", 401)
    assert engine.world.batches == {}
