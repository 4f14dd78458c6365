"""Limits as a user of the local run meets them: the command, the official SDK, the headers."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from megallm.local.state import LocalState
from tests.local.running import RunningStack, as_json, megallm, running_stack

pytestmark = pytest.mark.slow

CACHE_SECONDS = 1
HELLO: dict[str, Any] = {
    "model": "claude-3-haiku",
    "max_tokens": 3,
    "messages": [{"role": "user", "content": "Hello!"}],
}
RATE_HEADERS = {
    f"anthropic-ratelimit-{what}-{part}"
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
    for part in ("limit", "remaining", "reset")
}


@pytest.fixture(scope="module")
def stack(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack for all of them."""
    environ = {"MEGALLM_KEY_CACHE_SECONDS": str(CACHE_SECONDS)}
    with running_stack(tmp_path_factory.mktemp("limits"), environ=environ) as running:
        running.state()
        yield running


@pytest.fixture(scope="module")
def state(stack: RunningStack) -> LocalState:
    """Where it is."""
    return stack.state()


def keys(stack: RunningStack, *arguments: str) -> Any:
    """What `megallm keys` answers."""
    ended = megallm(stack.folder.path.parent, "keys", *arguments, "--json")
    assert ended.status == 0, ended.stderr
    return as_json(ended.stdout)


def told(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The limit and what is left of it; all of the headers are there."""
    assert set(headers) >= RATE_HEADERS
    return headers.get("anthropic-ratelimit-requests-limit"), headers.get("anthropic-ratelimit-requests-remaining")


def test_the_key_of_the_folder_allows_more_than_the_machine_can_do(state: LocalState) -> None:
    """It is the operator's own."""
    answer = httpx.post(f"{state.base_url}/v1/messages", json=HELLO, headers={"x-api-key": state.api_key}, timeout=60)

    assert told(answer.headers)[0] == "12000"


def test_a_call_without_a_key_has_a_basic_keys_numbers(state: LocalState) -> None:
    """Who tries things out sees them."""
    answer = httpx.post(f"{state.base_url}/v1/messages", json=HELLO, timeout=60)

    assert told(answer.headers)[0] == "50"


# Behind the others, so that the stack's first call, the slowest, is not among those of its twenty seconds.
def test_the_numbers_of_an_enterprise_key_hold_and_can_be_changed(stack: RunningStack, state: LocalState) -> None:
    """Three a minute are three, on streams too (C35); the fourth is told what, how much and when; then it is 600."""
    made = keys(stack, "create", "--tier", "enterprise", "--rpm", "3", "--tpm", "100000", "--concurrent", "2")
    client = anthropic.Anthropic(api_key=made["key"], base_url=state.base_url, max_retries=0)

    first = client.messages.with_raw_response.create(**HELLO)
    assert told(first.headers) == ("3", "2")
    with client.messages.with_streaming_response.create(**HELLO, stream=True) as stream:
        assert told(stream.headers) == ("3", "1")
        stream.read()
    assert told(client.messages.with_raw_response.create(**HELLO).headers) == ("3", "0")
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**HELLO)
    refused = caught.value.response
    seconds = int(refused.headers["retry-after"])
    assert told(refused.headers) == ("3", "0")
    assert 1 <= seconds <= 20
    assert refused.json()["error"] == {
        "type": "rate_limit_error",
        "message": f"This key may make 3 requests per minute and has made them: try again in {seconds} seconds",
    }

    assert keys(stack, "update", made["id"], "--rpm", "600")["limits"]["requests_per_minute"] == 600
    time.sleep(CACHE_SECONDS + 0.1)
    # What was used stays used, as the part of a minute that it was: so there are not six hundred at once.
    limit, remaining = told(client.messages.with_raw_response.create(**HELLO).headers)
    assert (limit, remaining is not None and int(remaining) < 600) == ("600", True)
