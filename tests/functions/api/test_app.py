"""What can be hung into the app, beside its routes: middleware is run, exception handlers are refused."""

import asyncio

import httpx
import pytest
from fastapi import APIRouter
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.app import _App, create_app
from megallm.errors import UpstreamOverloaded
from tests.fakes import ScriptedProvider, gateway, text_reply


class Named:
    """Adds its name to a header of the response."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-named", self._name)]
            await send(message)

        await self._app(scope, receive, named)


class Failing:
    """Lets nothing through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise UpstreamOverloaded("full")


def get(app: ASGIApp, path: str = "/health") -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.get(path)

    return asyncio.run(send())


def test_middleware_that_is_added_runs_inside_the_edge() -> None:
    """The one that was added last is the outermost, as in every such app; the response has its request id."""
    app = create_app(gateway(ScriptedProvider(text_reply("a"))))
    app.add_middleware(Named, name="inner")
    app.add_middleware(Named, name="outer")

    response = get(app)

    assert (response.status_code, response.headers.get_list("x-named")) == (200, ["inner", "outer"])
    assert response.headers["request-id"].startswith("req_")


def test_what_middleware_raises_is_shaped_like_every_error() -> None:
    """By the edge, which stands around it."""
    app = create_app(gateway(ScriptedProvider(text_reply("a"))))
    app.add_middleware(Failing)

    response = get(app)

    assert (response.status_code, response.json()["error"]) == (529, {"type": "overloaded_error", "message": "full"})


def test_an_exception_handler_that_nobody_would_call_is_refused() -> None:
    """At once, and not by silence."""
    app = create_app(gateway(ScriptedProvider(text_reply("a"))))

    with pytest.raises(RuntimeError, match="shapes every error"):
        app.add_exception_handler(ValueError, lambda request, error: PlainTextResponse("no"))
    with pytest.raises(RuntimeError, match="shapes every error"):
        _App(None, exception_handlers={ValueError: lambda request, error: PlainTextResponse("no")})


def test_routes_of_fastapi_s_own_can_be_added() -> None:
    """To the app, or by a router; what does not validate is an error like every other."""
    app = create_app(gateway(ScriptedProvider(text_reply("a"))))
    router = APIRouter()

    @app.get("/double")
    async def double(number: int) -> dict[str, int]:
        return {"doubled": 2 * number}

    @router.get("/half")
    async def half(number: int) -> dict[str, float]:
        return {"halved": number / 2}

    app.include_router(router)

    answers = [get(app, path) for path in ("/double?number=4", "/half?number=4", "/half?number=x", "/health")]

    assert [answer.status_code for answer in answers] == [200, 200, 400, 200]
    assert [answer.json() for answer in answers[:2]] == [{"doubled": 8}, {"halved": 2}]
    assert answers[2].json()["error"] == {
        "type": "invalid_request_error",
        "message": "The request is not what this path takes",
    }
