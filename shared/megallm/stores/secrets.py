"""Secrets by reference: from the environment, from AWS Secrets Manager or from SSM. Their values are never logged.

A reference is ``env:NAME``, ``secretsmanager:NAME_OR_ARN`` (with ``#member`` where the secret is a JSON object) or
``ssm:/NAME``. White space around a value is none of it: files and consoles add a line end, which no header may hold.
What is read is kept for some minutes, so that a rotated secret is taken up without a restart; if it
cannot be read again, what is known stays in use.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic_core import from_json

from megallm.errors import UpstreamMisconfigured
from megallm.stores.aws import AwsTarget
from megallm.telemetry import log

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

KEEP_SECONDS = 300.0
AGAIN_SECONDS = 30.0  # between two readings at least, whatever calls for one

_UNREADABLE = (BotoCoreError, ClientError, KeyError, TypeError, ValueError)


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
        if scheme == "env" and not self._environ.get(name, "").strip():
            raise MissingSecret(f"the environment variable {name} is not set")
        return Secret(reference, lambda: self._read(scheme, name), self._monotonic)

    def _read(self, scheme: str, name: str) -> tuple[str, ...]:
        match scheme:
            case "secretsmanager":
                return self._from_secrets_manager(name)
            case "ssm":
                parameter = self._ssm.get_parameter(Name=name, WithDecryption=True)
                return (parameter["Parameter"]["Value"],)
            case _:
                return (self._environ[name],)

    def _from_secrets_manager(self, name: str) -> tuple[str, ...]:
        """The current version, and the one before where there is one that can be read the same way."""
        secret_id, _, member = name.partition("#")
        client = self._secretsmanager
        current = _member(client.get_secret_value(SecretId=secret_id)["SecretString"], member)
        try:
            answer = client.get_secret_value(SecretId=secret_id, VersionStage="AWSPREVIOUS")
            return (current, _member(answer["SecretString"], member))
        except _UNREADABLE:
            return (current,)

    @cached_property
    def _secretsmanager(self) -> "SecretsManagerClient":
        return self._aws.secretsmanager()

    @cached_property
    def _ssm(self) -> "SSMClient":
        return self._aws.ssm()


class Secret:
    """One secret, read when first needed, and again after five minutes or when told to forget it."""

    def __init__(self, reference: str, read: Callable[[], tuple[str, ...]], monotonic: Callable[[], float]) -> None:
        self._reference = reference
        self._read = read
        self._monotonic = monotonic
        self._versions: tuple[str, ...] = ()
        self._read_at = 0.0
        self._forgotten = False
        self._reading = asyncio.Lock()  # who comes meanwhile waits for the same reading

    async def get(self) -> str:
        """Its value now. Raises UpstreamMisconfigured."""
        return (await self.versions())[0]

    async def versions(self) -> tuple[str, ...]:
        """Its value now, and the one before where Secrets Manager keeps that. Raises UpstreamMisconfigured."""
        if self._is_due():
            async with self._reading:
                if self._is_due():
                    await self._renew()
        return self._versions

    def forget(self) -> None:
        """An upstream has refused the value: it is read again, unless that was just done."""
        self._forgotten = True

    def _is_due(self) -> bool:
        if not self._versions:
            return True
        age = self._monotonic() - self._read_at
        return age >= (AGAIN_SECONDS if self._forgotten else KEEP_SECONDS)

    async def _renew(self) -> None:
        try:
            versions = _stripped(await asyncio.to_thread(self._read))
        except _UNREADABLE as error:
            log("secret_unreadable", {"reference": self._reference, "failure": type(error).__name__})
            if not self._versions:
                raise UpstreamMisconfigured("The gateway cannot read a secret that this call needs") from error
            # What is known may well be good still; another try in a while.
            self._forgotten = True
        else:
            self._versions = versions
            self._forgotten = False
        self._read_at = self._monotonic()


def _stripped(versions: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError where the value now is empty."""
    current, *before = [version.strip() for version in versions]
    if not current:
        raise ValueError("an empty secret")
    return (current, *filter(None, before))


def _member(text: str, member: str) -> str:
    """The secret's text, or the member of the JSON object that it is. Raises KeyError, TypeError or ValueError."""
    return str(from_json(text)[member]) if member else text
