"""The results of a batch as they are fetched, and what is said where there are none."""

from tests.functions.batches.talking import PATH, Talk, error_of


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
