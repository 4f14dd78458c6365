"""Secrets by reference: where they are read, how long they are kept, and that nothing of them is logged."""

import asyncio
import io

import pytest
from moto import mock_aws

from megallm.errors import UpstreamMisconfigured
from megallm.stores.aws import AwsTarget
from megallm.stores.secrets import KEEP_SECONDS, MissingSecret, Secrets

AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")


class Clock:
    """A time that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def versions(reference: str, **environ: str) -> tuple[str, ...]:
    return asyncio.run(Secrets(AWS, environ).secret(reference).versions())


def test_a_secret_comes_from_the_environment() -> None:
    """Locally; the version before it stands behind a comma."""
    assert versions("env:KEY", KEY="new,old") == ("new", "old")


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


@pytest.mark.parametrize("reference", ["secretsmanager:nope", "ssm:/nope", "secretsmanager:text#member"])
def test_a_secret_that_cannot_be_read_is_not_the_callers_fault(reference: str, lines: io.StringIO) -> None:
    """The log names the reference, the caller learns nothing of it."""
    with mock_aws():
        AWS.secretsmanager().create_secret(Name="text", SecretString="not JSON, and s3cret")
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
        return values

    assert asyncio.run(read()) == ["a", "a", "b", "c"]
