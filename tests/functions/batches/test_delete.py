"""Deleting a batch: what goes with it, and when it may not be."""

from megallm.batches.model import lines_key
from tests.functions.batches.talking import PATH, Talk, error_of


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
