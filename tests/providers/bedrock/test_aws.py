"""AWS's own code at work: frames out of bytes, credentials and signatures."""

import asyncio
import struct
from binascii import crc32
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials
from botocore.eventstream import EventStreamBuffer
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from megallm.errors import UpstreamFailed, UpstreamMisconfigured
from megallm.providers.bedrock.aws import Access, Frame, Frames

from .frames import event, exception, frame

TWO = event("messageStart", {"role": "assistant"}) + exception("throttlingException", {"message": "slow"})


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, aws_folder: Path) -> Path:
    """A machine without any; the folder of its configuration."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    return aws_folder


def test_frames_have_a_kind_a_name_and_a_payload() -> None:
    """An error that AWS has no exception for has a code in place of its name."""
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "x"}

    frames = Frames().feed(TWO + frame(headers, b""))

    assert frames == [
        Frame("event", "messageStart", b'{"role":"assistant","p":"abcdefghijklm"}'),
        Frame("exception", "throttlingException", b'{"message":"slow"}'),
        Frame("exception", "InternalFailure", b""),
    ]


@pytest.mark.parametrize("at", range(len(TWO) + 1))
def test_frames_do_not_depend_on_where_the_bytes_are_cut(at: int) -> None:
    """At every byte."""
    frames = Frames()

    found = frames.feed(TWO[:at]) + frames.feed(TWO[at:])

    frames.finish()
    assert found == Frames().feed(TWO)


@given(
    st.dictionaries(st.text("abc:-", min_size=1, max_size=9), st.text(max_size=20), max_size=4), st.binary(max_size=99)
)
def test_the_tests_own_encoder_writes_what_botocore_reads(headers: dict[str, str], payload: bytes) -> None:
    """Round trip, with any headers."""
    message = next(iter_messages(frame(headers, payload)))

    assert (message.headers, message.payload) == (headers, payload)


def read_all(data: bytes) -> list[Frame]:
    """The frames of a stream that ends here."""
    frames = Frames()
    found = frames.feed(data)
    frames.finish()
    return found


def iter_messages(data: bytes) -> Any:  # Any: botocore's stubs have its messages wrong
    """What botocore makes of bytes."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return buffer


def test_a_stream_that_ends_within_a_frame_is_an_error() -> None:
    """However little is missing."""
    frames = Frames()
    frames.feed(TWO[:-1])

    with pytest.raises(UpstreamFailed):
        frames.finish()


@pytest.mark.parametrize("at", range(len(TWO)))
def test_a_changed_byte_is_an_error_or_an_unfinished_frame(at: int) -> None:
    """Checksums see to it; nothing false gets through."""
    damaged = TWO[:at] + bytes([TWO[at] ^ 0x55]) + TWO[at + 1 :]

    with pytest.raises(UpstreamFailed):
        read_all(damaged)


def test_bytes_that_are_no_event_stream_are_an_error() -> None:
    """Such as a page of HTML."""
    with pytest.raises(UpstreamFailed):
        Frames().feed(b"<html><body>502 Bad Gateway</body></html>")


def test_a_frame_with_headers_that_cannot_be_read_is_an_error() -> None:
    """Whole, checksums and all."""
    packed = b"\x01a\x63"  # a header of type 99
    prelude = struct.pack(">II", 16 + len(packed), len(packed))
    message = prelude + struct.pack(">I", crc32(prelude)) + packed

    with pytest.raises(UpstreamFailed):
        Frames().feed(message + struct.pack(">I", crc32(message)))


def sign(access: Access) -> tuple[str, dict[str, str]]:
    """The URL, and the headers by their names in lower case."""
    signed = asyncio.run(access.sign("/model/m/invoke", {"content-type": "application/json"}, b"{}"))
    return signed.url, {name.lower(): value for name, value in signed.headers.items()}


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "bedrock-runtime.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "bedrock-runtime.eusc-de-east-1.amazonaws.eu"),
        ("cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_keys_of_the_environment_sign_for_the_region(monkeypatch: pytest.MonkeyPatch, region: str, host: str) -> None:
    """With the token of a role, if there is one."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)

    url, headers = sign(Access(None, None, None))

    assert url == f"https://{host}/model/m/invoke"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert f"/{region}/bedrock/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "session"


def test_a_profile_has_keys_and_a_region(no_credentials: Path) -> None:
    """As the command line uses it; an endpoint may be given besides."""
    (no_credentials / "credentials").write_text("[work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = s\n")
    (no_credentials / "config").write_text("[profile work]\nregion = ap-south-1\n")

    url, headers = sign(Access(None, "work", "https://vpce.invalid"))

    assert url == "https://vpce.invalid/model/m/invoke"
    assert "Credential=AKIDWORK/" in headers["authorization"]
    assert "/ap-south-1/" in headers["authorization"]


def test_a_bearer_token_goes_before_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in AWS's own SDKs."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "token")

    assert sign(Access("us-east-1", None, None))[1] == {
        "content-type": "application/json",
        "authorization": "Bearer token",
    }


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(("region", "profile"), [(None, None), ("us-east-1", None), ("us-east-1", "nobody")])
def test_without_region_credentials_or_profile_nothing_is_sent(region: str | None, profile: str | None) -> None:
    """It is the operator's to mend, and nothing of the reason reaches the caller."""
    with pytest.raises(UpstreamMisconfigured) as caught:
        sign(Access(region, profile, None))

    assert caught.value.message.startswith("The gateway ")
    assert "nobody" not in caught.value.message


def test_credentials_are_looked_for_once_and_anew_when_they_are_refused(no_credentials: Path) -> None:
    """A file that was replaced meanwhile counts then."""
    file = no_credentials / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIDOLD\naws_secret_access_key = s\n")
    access = Access("us-east-1", None, None)
    sign(access)
    file.write_text("[default]\naws_access_key_id = AKIDNEW\naws_secret_access_key = s\n")

    before = sign(access)[1]["authorization"]
    access.forget()
    after = sign(access)[1]["authorization"]

    assert ("AKIDOLD" in before, "AKIDNEW" in after) == (True, True)


def test_calls_that_begin_together_look_for_credentials_once() -> None:
    """The chain may have to ask a server."""
    access = Access("us-east-1", None, None)
    resolved: list[Session] = []
    resolve = access._resolve

    def counting(session: Session) -> None:
        resolved.append(session)
        resolve(session)

    access._resolve = counting  # type: ignore[method-assign]  # to be counted

    async def both() -> None:
        await asyncio.gather(*(access.sign("/", {}, b"") for _ in range(2)))

    asyncio.run(both())

    assert len(resolved) == 1


def test_credentials_that_expire_are_refreshed() -> None:
    """By botocore, in a thread."""
    refreshed: list[str] = []

    def refresh() -> dict[str, str]:
        refreshed.append("once")
        later = datetime.now(UTC) + timedelta(hours=1)
        return {"access_key": "AKIDNEW", "secret_key": "s", "token": "t", "expiry_time": later.isoformat()}

    soon = datetime.now(UTC) + timedelta(seconds=5)
    access = Access("us-east-1", None, "http://127.0.0.1:1")
    access._resolve = lambda session: _set(access, RefreshableCredentials("AKIDOLD", "s", "t", soon, refresh, "test"))  # type: ignore[method-assign]  # the chain itself is botocore's

    first, second = sign(access)[1]["authorization"], sign(access)[1]["authorization"]

    assert ("AKIDNEW" in first, "AKIDNEW" in second, refreshed) == (True, True, ["once"])


def _set(access: Access, credentials: RefreshableCredentials) -> None:
    access._region, access._credentials, access._session = "us-east-1", credentials, Session()
