"""Calls of Bedrock's runtime: signed, sent over our own connections, and refused in our own words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from megallm.errors import GatewayError
from megallm.providers.bedrock.aws import Access
from megallm.providers.bedrock.errors import CredentialsRefused, http_error
from megallm.providers.bedrock.model_ids import path_of
from megallm.providers.http import Http, OpenAnswer

_HEADERS = {"accept": "*/*", "content-type": "application/json"}
_DRAIN_SECONDS = 0.2


class BedrockClient:
    """The operations below ``/model/<id>/``. Credentials that are refused are looked for once more."""

    def __init__(self, http: Http, access: Access) -> None:
        self._http = http
        self._access = access

    async def post(self, model: str, operation: str, body: bytes) -> bytes:
        """The body of the answer. Raises GatewayError."""
        async with self.open(model, operation, body) as answer:
            return await answer.read()

    @asynccontextmanager
    async def open(self, model: str, operation: str, body: bytes) -> AsyncIterator[OpenAnswer]:
        """An answer whose status is 200, once its head is there. Raises GatewayError.

        Leaving the block closes the connection, unless the body was read to its end.
        """
        path = path_of(model, operation)
        looked_again = False
        while True:
            signed = await self._access.sign(path, _HEADERS, body)
            async with self._http.open(signed.url, headers=signed.headers, body=body) as answer:
                if answer.status == 200:
                    yield answer
                    return
                error = http_error(answer.status, answer.headers, await answer.read())
            if looked_again or not isinstance(error, CredentialsRefused):
                raise error
            looked_again = True
            self._access.forget()


async def drain(chunks: AsyncIterator[bytes]) -> None:
    """Reads on after the last event that counts, for a moment: a stream read to its end keeps its connection."""
    with suppress(GatewayError, TimeoutError):  # the reply is whole; only its connection is lost
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in chunks:
                pass
