"""Who may call: the two headers of the two dialects, versions, and the local run's anonymous caller."""

import httpx
import pytest

from megallm.keys import Caller
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.fakes import KEY

WRONG = "mega_abcdefgh_" + "w" * 43


def test_each_generation_is_let_in_with_its_own_header(connect: Connect, serve: Serve) -> None:
    """C01: the older SDKs send x-api-key, the newer ones a bearer token."""
    message = connect(serve(), api_key=KEY).create(**HELLO)

    assert message["type"] == "message"


def test_an_auth_token_is_a_key(connect: Connect, serve: Serve) -> None:
    """C01: the SDKs' auth_token goes into Authorization and authenticates as well."""
    message = connect(serve(), auth_token=KEY).create(**HELLO)

    assert message["type"] == "message"


def test_of_both_headers_x_api_key_wins(connect: Connect, serve: Serve) -> None:
    """C01: a right x-api-key beside a wrong bearer token is let in, the other way round refused."""
    server = serve()
    right = connect(server, auth_token=WRONG, headers={"x-api-key": KEY})
    wrong = connect(server, auth_token=KEY, headers={"x-api-key": WRONG})

    message = right.create(**HELLO)
    with pytest.raises(SdkError) as raised:
        wrong.create(**HELLO)

    assert (message["type"], raised.value.status) == ("message", 401)


@pytest.mark.parametrize("key", [WRONG, "sk-ant-nothing", "mega_short"])
def test_a_wrong_key_is_an_authentication_error(connect: Connect, serve: Serve, key: str) -> None:
    """C39, section 7: a 401 of the documented type, whatever is wrong with the key."""
    with pytest.raises(SdkError) as raised:
        connect(serve(), api_key=key).create(**HELLO)

    told = raised.value
    assert (told.name, told.status, told.type) == ("AuthenticationError", 401, "authentication_error")
    assert told.body["error"]["message"] == "The API key is unknown, expired or revoked"


def test_no_version_header_means_the_documented_version(connect: Connect, serve: Serve) -> None:
    """C01: without anthropic-version the request is taken as 2023-06-01."""
    message = connect(serve(), headers={"anthropic-version": None}).create(**HELLO)

    assert message["type"] == "message"


def test_an_unknown_version_is_told_the_known_ones(connect: Connect, serve: Serve) -> None:
    """C01: a 400 that lists what is known."""
    with pytest.raises(SdkError) as raised:
        connect(serve(), headers={"anthropic-version": "2099-01-01"}).create(**HELLO)

    assert (raised.value.status, raised.value.message) == (
        400,
        "anthropic-version: '2099-01-01' is not known; the known versions are 2023-06-01, 2026-10-21",
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"x-stainless-timeout": "NOT_GIVEN", "x-stainless-retry-count": "many", "x-stainless-arch": "other:vax"},
        {"accept": "image/png"},
        {"accept": "text/event-stream, */*;q=0"},
    ],
    ids=["stainless", "picture", "events"],
)
def test_headers_that_say_nothing_to_us_may_hold_anything(
    connect: Connect, serve: Serve, headers: dict[str, str]
) -> None:
    """C10: x-stainless-* and Accept do not decide anything."""
    message = connect(serve(), headers=headers).create(**HELLO)

    assert message["type"] == "message"


ANONYMOUS = Caller("local", "basic")


@pytest.mark.parametrize("host", ["localhost:4141", "127.0.0.1:4141", "LOCALHOST", "[::1]:4141", "[::1]"])
def test_the_documented_curl_without_a_key_works_on_the_local_run(serve: Serve, host: str) -> None:
    """Section 1: the printed curl is answered with a message where the local run allows anonymous calls."""
    server = serve(anonymous=ANONYMOUS)

    response = httpx.post(f"{server.url}/v1/messages", headers={"host": host}, json=HELLO, timeout=60)

    assert (response.status_code, response.json()["type"]) == (200, "message")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1.evil.example:4141"},
        {"host": "localhost@evil.example"},
        {"host": ""},
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
    ],
    ids=str,
)
def test_an_anonymous_call_under_a_foreign_name_is_refused(serve: Serve, headers: dict[str, str]) -> None:
    """Section 1: anonymous access is for this machine's own names, and for nobody behind a proxy."""
    server = serve(anonymous=ANONYMOUS)

    response = httpx.post(f"{server.url}/v1/messages", headers=headers, json=HELLO, timeout=60)

    assert (response.status_code, response.json()["error"]["type"]) == (401, "authentication_error")


def test_a_wrong_key_is_not_made_good_by_being_local(serve: Serve) -> None:
    """Section 1: anonymous means without a key."""
    server = serve(anonymous=ANONYMOUS)

    response = httpx.post(f"{server.url}/v1/messages", headers={"x-api-key": WRONG}, json=HELLO, timeout=60)

    assert response.status_code == 401


def test_without_the_local_run_nobody_is_anonymous(serve: Serve) -> None:
    """Section 1: a server as it is deployed refuses the same curl from the same machine."""
    response = httpx.post(f"{serve().url}/v1/messages", headers={"host": "localhost:4141"}, json=HELLO, timeout=60)

    assert (response.status_code, response.json()["error"]["type"]) == (401, "authentication_error")
