"""What all routes of Message Batches share: the key, unknown batches and methods, a deployment without batches."""

import pytest

from tests.fakes import KEY, gateway
from tests.functions.batches.talking import PATH, Talk, error_of, item

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
