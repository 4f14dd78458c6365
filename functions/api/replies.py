"""Responses as the routes give them: JSON, and a stream of server-sent events that notices its client's going."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.api.disconnect import stopping, watching
from functions.api.edge import trace_of
from megallm.messages.sse import encode_error
from megallm.operations.stream_message import StreamAnswer


def json_response(body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    """A 200 with a JSON body."""
    return Response(to_json(body), media_type="application/json", headers=headers)


class EventStream(Response):
    """A 200 whose frames leave as they come. However it ends, the upstream call has ended when it returns."""

    media_type = "text/event-stream"

    def __init__(self, answer: StreamAnswer) -> None:
        self.status_code = 200
        self.init_headers({**answer.headers, "cache-control": "no-cache", "x-accel-buffering": "no"})
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with watching(receive), aclosing(self._answer.frames) as frames:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                async for piece in frames:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            trace, error = trace_of(scope), stopping()
            await self._answer.aclose()
            if self._answer.delivered():
                await send({"type": "http.response.body", "body": b""})  # whole: nothing is wrong with it
            else:
                trace.failed(error)
                await send({"type": "http.response.body", "body": encode_error(error, trace.request_id)})
        finally:
            await self._answer.aclose()
