"""GET / and GET /health: what this is, and that it is up. Neither needs a key."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from functions.api.replies import json_response
from megallm import __version__


async def get_root(request: Request) -> Response:
    """Two lines for whoever opens the address in a browser."""
    return PlainTextResponse(
        f"MegaLLM {__version__}: a self-hosted gateway for Anthropic's Messages API. POST /v1/messages\n"
        "The routes are described at /docs, for programs at /openapi.json.\n"
    )


async def get_health(request: Request) -> Response:
    """The process answers. It says nothing of upstreams: a load balancer must not drop us for their faults."""
    return json_response({"status": "ok", "version": __version__})
