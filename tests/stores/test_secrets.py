"""Secrets by reference: where they are read, how long they are kept, and that nothing of them is logged."""

import asyncio
import io

import pytest
from moto import mock_aws

from megallm.errors import UpstreamMisconfigured
from megallm.stores.aws import AwsTarget
from megallm.stores.secrets import AGAIN_SECONDS, KEEP_SECONDS, MissingSecret, Secret, Secrets

AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")


class Clock:
    """A time that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def versions(reference: str, **environ: str) -> tuple[str, ...]:
    return asyncio.run(Secrets(AWS, environ).secret(reference).versions())


def test_a_secret_comes_from_the_environment() -> None:
    """Locally, as it is: a key may have a comma."""
    assert versions("env:KEY", KEY="a,b") == ("a,b",)


def test_a_variable_that_is_not_set_is_told_at_start() -> None:
    """With its name, before any request needs it."""
    with pytest.raises(MissingSecret, match="the environment variable KEY is not set"):
        Secrets(AWS, {}).secret("env:KEY")


def test_a_secret_comes_from_secrets_manager_with_the_one_before() -> None:
    """What was signed with the old one stays good after a rotation (C15)."""
    with mock_aws():
        client = AWS.secretsmanager()
        client.create_secret(Name="upstream", SecretString="first")
        once = versions("secretsmanager:upstream")
        client.put_secret_value(SecretId="upstream", SecretString="second")
        again = versions("secretsmanager:upstream")

    assert (once, again) == (("first",), ("second", "first"))


def test_a_member_of_a_json_secret_can_be_named() -> None:
    """One secret may hold several keys."""
    with mock_aws():
        AWS.secretsmanager().create_secret(Name="upstreams", SecretString='{"openai": "k1", "other": "k2"}')

        assert versions("secretsmanager:upstreams#openai") == ("k1",)


def test_a_secret_comes_from_ssm() -> None:
    """Decrypted."""
    with mock_aws():
        AWS.ssm().put_parameter(Name="/megallm/key", Value="k", Type="SecureString")

        assert versions("ssm:/megallm/key") == ("k",)


def test_white_space_around_a_value_is_none_of_it() -> None:
    """A secret that was stored from a file ends with the file's line end."""
    with mock_aws():
        AWS.secretsmanager().create_secret(Name="upstream", SecretString="k1\n")

        assert (versions("secretsmanager:upstream"), versions("env:KEY", KEY=" k2\r\n")) == (("k1",), ("k2",))


@pytest.mark.parametrize(
    "reference",
    [
        "secretsmanager:blank",
        "secretsmanager:nope",
        "ssm:/nope",
        "secretsmanager:text#member",
        "secretsmanager:list#member",
    ],
)
def test_a_secret_that_cannot_be_read_is_not_the_callers_fault(reference: str, lines: io.StringIO) -> None:
    """The log names the reference, the caller learns nothing of it."""
    with mock_aws():
        AWS.secretsmanager().create_secret(Name="text", SecretString="not JSON, and s3cret")
        AWS.secretsmanager().create_secret(Name="list", SecretString='["s3cret"]')
        AWS.secretsmanager().create_secret(Name="blank", SecretString=" \n")
        with pytest.raises(UpstreamMisconfigured) as caught:
            versions(reference)

    assert reference not in caught.value.message
    assert reference in lines.getvalue()
    assert "s3cret" not in lines.getvalue() + caught.value.message


def test_a_secret_is_kept_for_a_while_and_then_read_again() -> None:
    """So that a rotated one is taken up without a restart; at once, when an upstream refused it."""
    environ, clock = {"KEY": "a"}, Clock()
    secret = Secrets(AWS, environ, monotonic=clock).secret("env:KEY")

    async def read() -> list[str]:
        values = [await secret.get()]
        environ["KEY"] = "b"
        values.append(await secret.get())
        clock.now = KEEP_SECONDS
        values.append(await secret.get())
        environ["KEY"] = "c"
        secret.forget()
        values.append(await secret.get())
        clock.now += AGAIN_SECONDS
        values.append(await secret.get())
        return values

    assert asyncio.run(read()) == ["a", "a", "b", "b", "c"]


def test_what_is_known_stays_in_use_while_it_cannot_be_read_again(lines: io.StringIO) -> None:
    """An outage of the store takes no working key away; the log tells of it, every half a minute at most."""
    environ, clock = {"KEY": "a"}, Clock()
    secret = Secrets(AWS, environ, monotonic=clock).secret("env:KEY")

    async def read() -> list[str]:
        values = [await secret.get()]
        del environ["KEY"]
        clock.now = KEEP_SECONDS
        values += [await secret.get(), await secret.get()]
        environ["KEY"] = "b"
        clock.now += AGAIN_SECONDS
        values.append(await secret.get())
        return values

    assert asyncio.run(read()) == ["a", "a", "a", "b"]
    assert lines.getvalue().count("secret_unreadable") == 1


def test_a_previous_version_of_another_form_is_no_fault_of_the_current_one() -> None:
    """A plain secret was made into a JSON object, or a member was added."""
    with mock_aws():
        client = AWS.secretsmanager()
        client.create_secret(Name="upstreams", SecretString="plain, and old")
        client.put_secret_value(SecretId="upstreams", SecretString='{"openai": "k1"}')

        assert versions("secretsmanager:upstreams#openai") == ("k1",)


def test_callers_at_the_same_time_share_one_reading() -> None:
    """A cold start under load asks the store once."""
    readings: list[None] = []

    def read() -> tuple[str, ...]:
        readings.append(None)
        return ("k",)

    secret = Secret("env:KEY", read, Clock())

    async def together() -> list[str]:
        return await asyncio.gather(*(secret.get() for _ in range(20)))

    assert (asyncio.run(together()), len(readings)) == (["k"] * 20, 1)
