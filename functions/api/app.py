"""The FastAPI app: which path leads where."""

from typing import Any, NoReturn

from starlette.routing import Route
from starlette.types import ASGIApp

from functions.api.edge import Edge
from functions.api.framework import AsyncExitStackMiddleware, FastAPI
from functions.api.intake import Intake
from functions.api.openapi import describe
from functions.api.routes.about import get_health, get_root
from functions.api.routes.batches import (
    batch_endpoint,
    batch_results_endpoint,
    batches_endpoint,
    cancel_batch_endpoint,
)
from functions.api.routes.docs import get_docs
from functions.api.routes.messages import count_tokens_endpoint, messages_endpoint
from functions.api.routes.models import list_models_endpoint, retrieve_model_endpoint
from megallm import __version__
from megallm.keys import Caller
from megallm.operations.gateway import Gateway
from megallm.operations.stream_message import Patience
from megallm.telemetry.embedded import EmbeddedMetrics

_PATIENCE = Patience()


def create_app(gateway: Gateway, *, anonymous: Caller | None = None, patience: Patience = _PATIENCE) -> FastAPI:
    """The app over a composed gateway.

    *anonymous* is who a request without a key counts as when it comes from this machine; only the local stack
    gives it. There is no setting for it, so a deployed stack has no way to switch it on. *patience* is what the
    contract says; tests have less.
    """
    intake = Intake(gateway, anonymous, patience)
    # Plain routes: the endpoints read and answer bytes themselves, and FastAPI's wrapping of an endpoint would
    # cost each request a third more CPU. The schemas of /docs come from `describe`.
    routes = [
        Route("/v1/messages", messages_endpoint(intake), methods=["POST"]),
        Route("/v1/messages/count_tokens", count_tokens_endpoint(intake), methods=["POST"]),
        Route("/v1/messages/batches", batches_endpoint(intake), methods=["GET", "POST"]),
        Route("/v1/messages/batches/{batch_id}", batch_endpoint(intake), methods=["GET", "DELETE"]),
        Route("/v1/messages/batches/{batch_id}/cancel", cancel_batch_endpoint(intake), methods=["POST"]),
        Route("/v1/messages/batches/{batch_id}/results", batch_results_endpoint(intake), methods=["GET"]),
        Route("/v1/models", list_models_endpoint(intake), methods=["GET"]),
        Route("/v1/models/{model_id:path}", retrieve_model_endpoint(intake), methods=["GET"]),
        Route("/health", get_health, methods=["GET"]),
        Route("/docs", get_docs, methods=["GET"]),
        Route("/", get_root, methods=["GET"]),
    ]
    return _App(
        gateway.metrics,
        title="MegaLLM",
        version=__version__,
        routes=[*routes],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # The edge logs what may be logged; FastAPI's own telemetry would also record exceptions' texts.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )


class _App(FastAPI):
    """The edge shapes every error and logs every request, so nothing else stands between it and the router.

    The frameworks' own layers for that, six of them, would each cost every request some microseconds. Middleware
    that is added runs between the edge and the router, and routes that are added have what FastAPI's own need.
    """

    def __init__(self, metrics: EmbeddedMetrics | None, **settings: Any) -> None:  # Any: FastAPI's own
        for error, handler in (settings.get("exception_handlers") or {}).items():
            self.add_exception_handler(error, handler)
        self.metrics = metrics
        super().__init__(**settings)

    def build_middleware_stack(self) -> ASGIApp:
        paths: dict[object, str] = {route.endpoint: route.path for route in self.routes if isinstance(route, Route)}
        app: ASGIApp = self.router
        if any(type(route) is not Route for route in self.routes):
            app = AsyncExitStackMiddleware(app)
        for middleware, args, kwargs in reversed(self.user_middleware):
            app = middleware(app, *args, **kwargs)
        return Edge(app, paths, self.metrics)

    def add_exception_handler(self, exc_class_or_status_code: object, handler: object) -> NoReturn:
        """Raises RuntimeError: nobody would call it, since the edge alone answers what is raised."""
        raise RuntimeError("functions/api/edge.py shapes every error; there is no place for another exception handler")

    def openapi(self) -> dict[str, Any]:
        return describe(self)
