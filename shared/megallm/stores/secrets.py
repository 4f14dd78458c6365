"""Secrets by reference: from the environment, from AWS Secrets Manager or from SSM. Their values are never logged.

A reference is ``env:NAME``, ``secretsmanager:NAME_OR_ARN`` (with ``#member`` where the secret is a JSON object) or
``ssm:/NAME``. What is read is kept for some minutes, so that a rotated secret is taken up without a restart.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError
from pydantic_core import from_json

from megallm.errors import UpstreamMisconfigured
from megallm.stores.aws import AwsTarget
from megallm.telemetry import log

KEEP_SECONDS = 300.0


class MissingSecret(Exception):
    """A reference to an environment variable that is not set; the message names it."""


class Secrets:
    """Makes readers of secrets. *environ* is the process's; AWS is asked only for references that name it."""

    def __init__(
        self, aws: AwsTarget, environ: Mapping[str, str], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._aws = aws
        self._environ = environ
        self._monotonic = monotonic

    def secret(self, reference: str) -> "Secret":
        """One secret, not yet read. Raises MissingSecret where it could never be."""
        scheme, _, name = reference.partition(":")
        if scheme == "env" and not self._environ.get(name):
            raise MissingSecret(f"the environment variable {name} is not set")
        return Secret(lambda: self._read(reference), self._monotonic)

    def _read(self, reference: str) -> tuple[str, ...]:
        scheme, _, name = reference.partition(":")
        try:
            match scheme:
                case "secretsmanager":
                    return self._from_secrets_manager(name)
                case "ssm":
                    return self._from_ssm(name)
                case _:
                    return tuple(self._environ[name].split(","))
        except (BotoCoreError, ClientError, KeyError, ValueError) as error:
            log("secret_unreadable", {"reference": reference, "failure": type(error).__name__})
            raise UpstreamMisconfigured("The gateway cannot read a secret that this call needs") from error

    def _from_secrets_manager(self, name: str) -> tuple[str, ...]:
        secret_id, _, member = name.partition("#")
        client = self._aws.secretsmanager()
        current = client.get_secret_value(SecretId=secret_id)["SecretString"]
        try:
            previous = client.get_secret_value(SecretId=secret_id, VersionStage="AWSPREVIOUS")["SecretString"]
        except client.exceptions.ResourceNotFoundException:
            return (_member(current, member),)
        return (_member(current, member), _member(previous, member))

    def _from_ssm(self, name: str) -> tuple[str, ...]:
        return tuple(self._aws.ssm().get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"].split(","))


class Secret:
    """One secret, read when first needed and again after five minutes or when told to forget it."""

    def __init__(self, read: Callable[[], tuple[str, ...]], monotonic: Callable[[], float]) -> None:
        self._read = read
        self._monotonic = monotonic
        self._values: tuple[str, ...] = ()
        self._until = 0.0

    async def get(self) -> str:
        """Its value now. Raises UpstreamMisconfigured."""
        return (await self.versions())[0]

    async def versions(self) -> tuple[str, ...]:
        """Its value now, and the one before where the store keeps that or the value names both, parted by a comma.

        Raises UpstreamMisconfigured.
        """
        if not self._values or self._monotonic() >= self._until:
            self._values = await asyncio.to_thread(self._read)
            self._until = self._monotonic() + KEEP_SECONDS
        return self._values

    def forget(self) -> None:
        """The next ``get`` reads it again: an upstream has refused what it was."""
        self._values = ()


def _member(text: str, member: str) -> str:
    """The secret's text, or the member of the JSON object that it is. Raises KeyError or ValueError."""
    return str(from_json(text)[member]) if member else text
