"""Calls of Bedrock's runtime: signed, sent over our own connections, and refused in our own words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from megallm.providers.bedrock.aws import Access
from megallm.providers.bedrock.errors import CredentialsRefused, http_error
from megallm.providers.bedrock.model_ids import path_of
from megallm.providers.http import Http, OpenAnswer

_HEADERS = {"accept": "*/*", "content-type": "application/json"}


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

        Leaving the block by an exception ends the call for Bedrock; leaving it otherwise keeps the connection.
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
