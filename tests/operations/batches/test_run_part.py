"""A batch from the drop to its files, where nothing goes wrong but items."""

import asyncio
from dataclasses import replace

import pytest
from pydantic_core import from_json

from megallm.batches.model import Counts, Spent
from megallm.errors import GatewayError, InternalError, InvalidRequest, UpstreamFailed
from megallm.messages.calls import Adaptation
from megallm.messages.events import Reply
from megallm.operations.batch_watch import BatchWatch
from tests.batch_fakes import MemoryBatches, Process
from tests.operations.batches.harness import Scene, inline, message_lines
from tests.operations.batches.upstream import Upstream, echo


def test_every_item_has_its_result_in_the_order_of_the_input() -> None:
    """B01: 2,500 items in three parts; ids, counts, tokens and cost add up."""
    scene = Scene()

    batch = scene.drop(message_lines(f"text {number}" for number in range(1, 2501)))
    scene.work()
    scene.finish()

    assert (batch.state, batch.total, batch.parts) == ("in_progress", 2500, 3)
    assert scene.results() == [(f"id-{number}", f"re: text {number}") for number in range(1, 2501)]
    assert scene.file("errors.jsonl") == b""
    ended = scene.batch()
    assert ended.state == "ended"
    assert ended.counts == Counts(succeeded=2500)
    assert ended.spent == Spent(2500 * 7, 2500 * 3, 2500 * (7 * 2 + 3 * 10), 2500)
    assert scene.world.told == [ended]
    assert scene.upstream.most_in_flight == 8


def test_the_manifest_adds_up() -> None:
    """Counts, tokens, cost, routes and reasons are those of the results."""
    scene = Scene(upstream=Upstream(lambda text, nth: UpstreamFailed("It failed") if text == "b" else echo(text, nth)))

    scene.drop(message_lines(["a", "b", "c"]))
    scene.work()
    scene.finish()

    told = scene.manifest()
    assert told["counts"] == {"total": 3, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0}
    assert told["usage"] == {"input_tokens": 14, "output_tokens": 6, "calls": 5, "cost_usd": 88 / 1e6}
    assert told["routes"] == {"upstream/m": 2}
    assert told["failures"] == {"api_error: It failed": 1}


def test_what_a_model_without_prices_costs_is_not_known() -> None:
    """The record says so, and the manifest."""
    scene = Scene()

    scene.drop(message_lines(["a", "b"], model="unpriced"))
    scene.work()
    scene.finish()

    assert (scene.batch().spent, scene.batch().spent.dollars) == (Spent(14, 6, 0, 2, 2), None)
    assert scene.manifest()["usage"]["cost_usd"] is None


def test_when_a_batch_has_ended_only_its_files_are_left() -> None:
    """The pieces go at the very end."""
    scene = Scene()

    batch = scene.drop(message_lines(["a", "b"]))
    scene.work()
    scene.finish()

    prefix = f"results/{batch.id}/"
    assert sorted(scene.world.objects) == [
        "inbox/messages/in.jsonl",
        f"{prefix}errors.jsonl",
        f"{prefix}manifest.json",
        f"{prefix}results.jsonl",
    ]


def test_an_item_is_tried_again_until_it_succeeds() -> None:
    """Three attempts are the default; the third one's answer counts."""

    def answer(text: str, nth: int) -> Reply | GatewayError:
        return UpstreamFailed("It failed") if nth < 3 else echo(text, nth)

    scene = Scene(upstream=Upstream(answer))

    scene.drop(message_lines(["a"]))
    scene.work()
    scene.finish()

    assert scene.results() == [("id-1", "re: a")]
    assert scene.upstream.calls == ["a", "a", "a"]
    assert scene.batch().spent.calls == 3


def test_an_item_that_fails_for_good_is_an_error_line_fit_to_be_submitted_again() -> None:
    """Its attempts and whose fault it was stand beside the item itself."""
    refusal = InvalidRequest("messages: too long", param="messages")
    scene = Scene(upstream=Upstream(lambda text, nth: refusal if text == "b" else echo(text, nth)))
    body = message_lines(["a", "b"])

    scene.drop(body)
    scene.work()
    scene.finish()
    errors = scene.file("errors.jsonl")

    assert [from_json(line) for line in errors.splitlines()] == [
        {
            "custom_id": "id-2",
            "record": 2,
            "error": {
                "code": "invalid_request_error",
                "message": "messages: too long",
                "attempts": 1,
                "fault": "customer",
            },
            "item": from_json(body.splitlines()[1]),
        }
    ]
    assert scene.results() == [("id-1", "re: a"), ("id-2", "errored")]


def test_a_bad_line_is_reported_by_its_number_and_the_rest_is_processed() -> None:
    """B10: a byte order mark, CRLF, a U+2028 inside of a string, no newline at the end."""
    good = message_lines(["a", "b c", "d"]).replace(b"\n", b"\r\n").removesuffix(b"\r\n").split(b"\r\n")
    scene = Scene()

    scene.drop(b"\xef\xbb\xbf" + b"\r\n".join([good[0], b"{nonsense", good[1], good[2]]))
    scene.work()
    scene.finish()

    assert scene.results() == [("id-1", "re: a"), ("2", "errored"), ("id-2", "re: b c"), ("id-3", "re: d")]
    [error] = map(from_json, scene.file("errors.jsonl").splitlines())
    assert (error["record"], error["error"]["attempts"]) == (2, 0)


def test_an_unknown_model_is_that_items_error() -> None:
    """No upstream is called for it."""
    scene = Scene()

    scene.drop(message_lines(["a"], model="nobody") + message_lines(["b"]).replace(b"id-1", b"id-2"))
    scene.work()
    scene.finish()

    assert scene.results() == [("id-1", "errored"), ("id-2", "re: b")]
    assert scene.upstream.calls == ["b"]


def test_a_defect_ends_its_item_and_no_other() -> None:
    """What is no GatewayError is one of ours for the item: api_error, and the part goes on."""

    def answer(text: str, nth: int) -> Reply:
        if text == "b":
            raise KeyError(text)
        return echo(text, nth)

    scene = Scene(upstream=Upstream(answer))

    scene.drop(message_lines(["a", "b", "c"]))
    scene.work()
    scene.finish()

    assert scene.results() == [("id-1", "re: a"), ("id-2", "errored"), ("id-3", "re: c")]


def test_a_summary_is_the_output_beside_the_whole_message() -> None:
    """A text task's rows have the text in front, and their other fields."""
    scene = Scene()
    scene.upstream.answer = lambda text, nth: echo("short", nth)

    scene.drop(b'{"text": "A long story.", "page": 7}\n', "inbox/summarize/paragraph/in.jsonl")
    scene.work()
    scene.finish()

    [line] = map(from_json, scene.file("results.jsonl").splitlines())
    assert (line["custom_id"], line["record"], line["output"], line["fields"]) == ("1", 1, "re: short", {"page": 7})


def test_what_was_adapted_for_the_upstream_stands_in_the_result() -> None:
    """C04: a file of results has no headers, so the line says it."""
    scene = Scene(upstream=Upstream(adaptations=(Adaptation("top_k", "dropped"),)))

    scene.drop(message_lines(["a"]))
    scene.work()
    scene.finish()

    [line] = map(from_json, scene.file("results.jsonl").splitlines())
    assert line["adapted"] == "top_k=dropped"


def test_a_small_batch_does_not_wait_for_a_large_one() -> None:
    """Fairness in one process: the parts that run take turns at the slots."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=4)
    large = scene.drop(message_lines(f"text {number}" for number in range(200)), "inbox/messages/large.jsonl")
    small = scene.drop(message_lines(f"text {number}" for number in range(10)), "inbox/messages/small.jsonl")

    async def work() -> float:
        worker = scene.worker()
        running = asyncio.create_task(worker.run(large.id, 1))
        await worker.run(small.id, 1)
        small_done = scene.monotonic()
        await running
        return small_done

    small_done = scene.run(work())

    assert small_done <= 7
    assert 52 <= scene.monotonic() <= 54


def test_parts_of_one_batch_at_once_are_bounded_together() -> None:
    """The concurrency is the process's, not the part's."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=3, items_a_part=5)

    scene.drop(message_lines(f"text {number}" for number in range(30)))
    scene.work()
    scene.finish()

    assert scene.upstream.most_in_flight == 3
    assert scene.batch().counts == Counts(succeeded=30)


def test_an_input_that_is_gone_ends_as_errors() -> None:
    """It was replaced while its batch ran, in a bucket without versions: every item says so."""
    scene = Scene()
    batch = scene.drop(message_lines(["a", "b"]))
    scene.world.objects["inbox/messages/in.jsonl"] = b"something else"

    scene.work()
    scene.finish()

    assert scene.results() == [("1", "errored"), ("2", "errored")]
    assert scene.world.batches[batch.id].counts == Counts(errored=2)


def test_a_line_of_many_megabytes_is_one_error_line() -> None:
    """It is read in pieces and not kept; its neighbours are processed."""
    rows = message_lines(["a", "b"]).splitlines(keepends=True)
    scene = Scene()

    scene.drop(rows[0] + b"x" * 30_000_000 + b"\n" + rows[1])
    scene.work()
    scene.finish()

    assert scene.results() == [("id-1", "re: a"), ("2", "errored"), ("id-2", "re: b")]
    [error] = map(from_json, scene.file("errors.jsonl").splitlines())
    assert error["item"] is None


def test_a_failure_of_the_store_is_raised_and_the_part_is_done_by_whoever_comes_next() -> None:
    """The message comes again, or the schedule sends another; nothing that was recorded is repeated."""

    class Broken(MemoryBatches):
        def complete(self, *_: object, **__: object) -> None:
            raise InternalError("unreachable")

    scene = Scene()
    batch = scene.drop(message_lines(["a", "b"]))
    broken = replace(scene.world.ports(), store=Broken(scene.world, Process()))

    with pytest.raises(InternalError):
        scene.run(scene.worker(ports=broken).run(batch.id, 1))
    scene.world.part_messages.clear()
    scene.to_the_end()

    assert scene.results() == [("id-1", "re: a"), ("id-2", "re: b")]
    assert scene.upstream.calls == ["a", "b"]
    assert scene.batch().spent.calls == 2


def test_a_run_that_ends_leaves_the_watch_of_another_one() -> None:
    """The first run's was dropped and made anew while this one asked for its part: parts run under the new one."""
    scene = Scene()
    batch = scene.drop(message_lines(["a"]))
    anew = BatchWatch(batch, scene.world.ports().store, scene.clock, inline())

    class Meanwhile(MemoryBatches):
        def claim(self, *_: object, **__: object) -> None:
            worker._watches[batch.id] = anew

    worker = scene.worker(ports=replace(scene.world.ports(), store=Meanwhile(scene.world, Process())))
    scene.run(worker.run(batch.id, 1))

    assert worker._watches == {batch.id: anew}


def test_a_message_after_the_end_leaves_nothing_in_the_worker() -> None:
    """The same file may be dropped again: what the worker knew of the ended batch must not stand in its way."""
    scene = Scene()
    worker = scene.worker()
    lines = message_lines(["a"])
    batch = scene.drop(lines)
    scene.run(worker.run(batch.id, 1))
    scene.finish()

    scene.run(worker.run(batch.id, 1))
    scene.world.ports().store.delete(scene.batch())
    scene.drop(lines)
    scene.run(worker.run(batch.id, 1))

    assert scene.world.parts[batch.id][1].done
