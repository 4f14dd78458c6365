"""Headers that come more than once: of two values none is chosen in silence."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from mangum import Mangum

from functions.api.app import create_app
from tests.fakes import KEY, ScriptedProvider, gateway, text_reply
from tests.functions.api.gateway_events import KINDS, Kind, event

BODY = b'{"model":"claude-test","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
PROFILE = "anthropic-user-profile-id"


def ask(*headers: tuple[str, str]) -> tuple[httpx.Response, ScriptedProvider]:
    """The answer to a request with these headers, and a provider that saw it."""
    provider = ScriptedProvider(text_reply("a"))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(gateway(provider)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post("/v1/messages", content=BODY, headers=[*headers])

    return asyncio.run(send()), provider


@pytest.mark.parametrize("values", [("up_1", "up_2"), ("up_1,up_2",), ("up_1, up_2",)])
def test_a_request_is_for_one_user_alone(values: tuple[str, ...]) -> None:
    """A 400 that names the header; over Lambda its values come in one line."""
    answer, provider = ask(("x-api-key", KEY), *((PROFILE, value) for value in values))

    assert (answer.status_code, answer.json()["error"]) == (
        400,
        {"type": "invalid_request_error", "message": f"{PROFILE}: must be one value, not several", "param": PROFILE},
    )
    assert provider.calls == []


def test_a_header_that_says_the_same_twice_is_read_once() -> None:
    """A proxy may have added it."""
    headers = [("x-api-key", KEY), ("content-type", "application/json"), ("anthropic-version", "2026-10-21")]

    answer, provider = ask(*headers, *headers, (PROFILE, "up_1"), (PROFILE, "up_1"))

    assert answer.status_code == 200
    assert [(call.version, call.headers) for call in provider.calls] == [("2026-10-21", ((PROFILE, "up_1"),))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [("x-api-key", KEY), ("authorization", f"Bearer {KEY}")])
def test_a_header_that_says_the_same_twice_is_read_once_on_lambda(kind: Kind, key: tuple[str, str]) -> None:
    """There the event, or its adapter, joins the values of one header by commas."""
    provider = ScriptedProvider(text_reply("a"))
    once = dict([key, ("content-type", "application/json"), ("anthropic-version", "2026-10-21"), (PROFILE, "up_1")])
    told = event(kind, body=BODY, headers={"x-api-key": None, **{name: f"{v},{v}" for name, v in once.items()}})
    if kind == "rest_v1":
        told["headers"] |= once
        told["multiValueHeaders"] |= {name: [value, value] for name, value in once.items()}

    answer = Mangum(create_app(gateway(provider)), lifespan="off")(told, SimpleNamespace())

    assert answer["statusCode"] == 200, answer["body"]
    assert [(call.version, call.headers) for call in provider.calls] == [("2026-10-21", ((PROFILE, "up_1"),))]


@pytest.mark.parametrize(
    ("first", "second", "status", "message"),
    [
        (
            ("anthropic-version", "2023-06-01"),
            ("anthropic-version", "2026-10-21"),
            400,
            "anthropic-version: '2023-06-01, 2026-10-21' is not known; the known versions are 2023-06-01, 2026-10-21",
        ),
        (("content-type", "application/json"), ("content-type", "text/plain"), 400, None),
        (("content-type", "application/json; charset=utf-8"), ("content-type", "text/plain"), 400, None),
        (("content-type", "application/json;a=b, text/plain"), ("anthropic-version", "2023-06-01"), 400, None),
        (("x-api-key", KEY), ("x-api-key", KEY + "x"), 401, None),
        (("authorization", f"Bearer {KEY}"), ("authorization", "Bearer other"), 401, None),
    ],
)
def test_of_two_values_none_is_chosen(
    first: tuple[str, str], second: tuple[str, str], status: int, message: str | None
) -> None:
    """Neither who asks nor in which version is a guess; in either order."""
    key = [] if "x-api-key" in first or "authorization" in first else [("x-api-key", KEY)]

    answers = [ask(*key, *pair)[0] for pair in ((first, second), (second, first))]

    assert [answer.status_code for answer in answers] == [status, status]
    assert message is None or answers[0].json()["error"]["message"] == message


def test_betas_of_several_headers_are_one_list() -> None:
    """That header is a list by its nature (C03)."""
    answer, provider = ask(("x-api-key", KEY), ("anthropic-beta", "one, two"), ("anthropic-beta", "three,one"))

    assert answer.status_code == 200
    assert [call.betas for call in provider.calls] == [("one", "two", "three")]
