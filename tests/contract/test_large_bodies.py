"""Bodies over the limit are a 413 that the client gets to read, not a broken pipe (C09)."""

from collections.abc import Iterator

import httpx
import pytest

from megallm.settings import MEBIBYTE
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.contract.server import WatchedProvider
from tests.fakes import KEY

EXPECTED = {
    "type": "request_too_large",
    "message": "The request body is larger than the 33554432 bytes that this deployment takes",
}


def test_the_sdk_gets_a_413_for_a_body_over_the_limit(connect: Connect, serve: Serve) -> None:
    """C09: 33 MB are refused with the class that says so."""
    provider = WatchedProvider()
    sdk = connect(serve(provider), max_retries=2)
    messages = [{"role": "user", "content": "x" * (33 * MEBIBYTE)}]

    with pytest.raises(SdkError) as raised:
        sdk.create(**{**HELLO, "messages": messages})

    told = raised.value
    expected = {
        "python-2.12": "ContentTooLargeError",
        "python-0.116": "RequestTooLargeError",
        "node-1.12": "ContentTooLargeError",
        "node-0.x": "APIError",
    }[sdk.driver.generation.name]
    assert (told.name, told.status, told.body["error"], provider.calls) == (expected, 413, EXPECTED, [])


@pytest.mark.parametrize("megabytes", [33, 40, 100])
@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
def test_a_large_upload_gets_its_answer(serve: Serve, megabytes: int, chunked: bool) -> None:
    """C09: whether its length is told or not."""
    headers = {"x-api-key": KEY, "content-type": "application/json"}
    if not chunked:
        headers["content-length"] = str(megabytes * MEBIBYTE)

    def body() -> Iterator[bytes]:
        piece = b" " * MEBIBYTE
        for _ in range(megabytes):
            yield piece

    answer = httpx.post(f"{serve().url}/v1/messages", headers=headers, content=body(), timeout=60)

    assert (answer.status_code, answer.json()["error"]) == (413, EXPECTED)
    assert answer.headers["x-should-retry"] == "false"


def test_a_body_just_under_the_limit_is_answered(serve: Serve) -> None:
    """C09: Anthropic's own limit is what this deployment carries."""
    body = HELLO | {"messages": [{"role": "user", "content": "x" * (31 * MEBIBYTE)}]}

    answer = httpx.post(f"{serve().url}/v1/messages", headers={"x-api-key": KEY}, json=body, timeout=60)

    assert answer.status_code == 200
