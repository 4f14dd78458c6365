"""How a batch is shown over its life: new, running, canceled, expired, ended."""

import re
from dataclasses import replace

from megallm.batches.model import Counts
from tests.functions.batches.talking import BASE, PATH, Talk

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
