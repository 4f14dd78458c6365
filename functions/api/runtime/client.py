"""The Runtime API's endpoints: which path and which headers each one wants."""

import asyncio
from collections.abc import Mapping

from functions.api.runtime.connection import Answer, Connection, RuntimeApiFailed, connect, request_head
from functions.api.runtime.failures import Failure
from functions.api.runtime.invocation import Invocation

_ROOT = "/2018-06-01/runtime"
_ANSWER_SECONDS = 5.0
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY = "Lambda-Runtime-Function-Error-Body"


class RuntimeApi:
    """The Runtime API at ``host:port``. Every method may raise RuntimeApiFailed."""

    def __init__(self, address: str) -> None:
        self._address = address
        # One exchange a connection: a streamed response is to end with its connection, and after a freeze no
        # other is left that might have died.
        self._headers = {"Host": address, "User-Agent": "megallm-streaming", "Connection": "close"}

    async def next(self) -> Invocation:
        """The next invocation; waits for as long as there is none, which may be hours of a frozen process."""
        answer = await self._get("/invocation/next")
        try:
            return Invocation.from_wire(answer.headers, answer.body)
        except KeyError as error:
            raise RuntimeApiFailed("an invocation without a request id") from error

    async def restore_next(self) -> None:
        """Waits until the process has been restored from its snapshot."""
        await self._get("/restore/next")

    async def init_error(self, failure: Failure) -> None:
        """Tells that the function cannot start."""
        await self._report("/init/error", failure, {})

    async def restore_error(self, failure: Failure) -> None:
        """Tells that the function cannot go on after its restoration."""
        await self._report("/restore/error", failure, {})

    async def error(self, invocation: Invocation, failure: Failure) -> None:
        """Tells that an invocation has failed before its response began."""
        await self._report(f"/invocation/{invocation.request_id}/error", failure, _echo(invocation))

    async def open_response(self, invocation: Invocation) -> tuple[Connection, bytes]:
        """A connection for the response to an invocation, and the head that must be sent first; chunks follow."""
        headers = {
            **self._headers,
            "Content-Type": "application/vnd.awslambda.http-integration-response",
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": f"{_ERROR_TYPE}, {_ERROR_BODY}",
            **_echo(invocation),
        }
        head = request_head("POST", f"{_ROOT}/invocation/{invocation.request_id}/response", headers)
        return await connect(self._address), head

    async def _get(self, path: str) -> Answer:
        answer = await self._exchange(request_head("GET", _ROOT + path, self._headers))
        if answer.status != 200:
            raise RuntimeApiFailed(f"{path} was answered with {answer.status}")
        return answer

    async def _report(self, path: str, failure: Failure, echo: Mapping[str, str]) -> None:
        body = failure.to_wire()
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            _ERROR_TYPE: failure.type,
            **echo,
        }
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._exchange(request_head("POST", _ROOT + path, headers) + body)
        except TimeoutError as error:
            raise RuntimeApiFailed(f"{path} was not answered") from error
        if answer.status >= 500:
            raise RuntimeApiFailed(f"{path} was answered with {answer.status}")

    async def _exchange(self, request: bytes) -> Answer:
        connection = await connect(self._address)
        try:
            connection.writer.write(request)
            return await connection.answer()
        finally:
            connection.close()


def _echo(invocation: Invocation) -> Mapping[str, str]:
    return {} if invocation.invocation_id is None else {"Lambda-Runtime-Invocation-Id": invocation.invocation_id}
