"""POST /v1/messages and POST /v1/messages/count_tokens."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.api.disconnect import watching
from functions.api.edge import trace_of
from functions.api.intake import Intake, sender
from functions.api.replies import EventStream, json_response
from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse
from megallm.operations.count_tokens import count_tokens
from megallm.operations.create_message import create_message
from megallm.operations.stream_message import stream_message


class Endpoint:
    """A function of a request as an ASGI app, which Starlette calls as it is.

    Around a plain function it would put layers that look for exceptions; those are the edge's alone.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)


def messages_endpoint(intake: Intake) -> Endpoint:
    """A message, whole or as a stream."""

    async def post_messages(request: Request) -> Response:
        trace = trace_of(request.scope)
        caller = await intake.caller(request)
        sent_by = sender(request)
        body = await intake.body(request)
        message = parse(body, MessagesRequest)
        trace.stream = message.stream
        async with watching(request.receive):
            if message.stream:
                stream = await stream_message(intake.gateway, caller, message, sent_by, trace, body, intake.patience)
            else:
                answer = await create_message(intake.gateway, caller, message, sent_by, trace, body)
        return EventStream(stream) if message.stream else json_response(answer.message, answer.headers)

    return Endpoint(post_messages)


def count_tokens_endpoint(intake: Intake) -> Endpoint:
    """The number of input tokens, without generating anything."""

    async def post_count_tokens(request: Request) -> Response:
        await intake.caller(request)
        sent_by = sender(request)
        body = await intake.body(request)
        question = parse(body, TokenCountRequest)
        async with watching(request.receive):
            tokens = await count_tokens(intake.gateway, question, sent_by, body, trace_of(request.scope))
        return json_response({"input_tokens": tokens})

    return Endpoint(post_count_tokens)
