"""Fixtures of the contract tests: a server a test, the four SDKs as processes that live as long as the session."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from megallm.operations.ports import Limiter
from megallm.settings import Settings
from tests.contract.clients import GENERATIONS, Driver, Generation, Sdk
from tests.contract.server import RunningServer
from tests.fakes import KEY, ScriptedProvider, gateway

Connect = Callable[..., Sdk]
Serve = Callable[..., RunningServer]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What drives an SDK is slow."""
    for item in items:
        if isinstance(item, pytest.Function) and "driver" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def drivers() -> Iterator[Callable[[Generation], Driver]]:
    """The driver of a generation, started when first asked for."""
    running: dict[Generation, Driver] = {}

    def driver_of(generation: Generation) -> Driver:
        if generation not in running:
            running[generation] = Driver(generation)
        return running[generation]

    yield driver_of
    for driver in running.values():
        driver.stop()


@pytest.fixture(params=GENERATIONS, ids=lambda generation: generation.name)
def driver(request: pytest.FixtureRequest, drivers: Callable[[Generation], Driver]) -> Driver:
    """Each of the four SDKs in turn."""
    return drivers(request.param)


@pytest.fixture
def connect(driver: Driver) -> Connect:
    """Makes an SDK client for a server; its key is the right one unless the test says otherwise."""

    def connect_to(server: RunningServer, **options: Any) -> Sdk:  # Any: the fields of Sdk
        if "auth_token" not in options:
            options.setdefault("api_key", KEY)
        return Sdk(driver, server.url, **options)

    return connect_to


@pytest.fixture(autouse=True)
def tolerated(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What the HTTP server may complain of in this test: nothing, unless the test adds the beginning of a message."""
    allowed: list[str] = []
    yield allowed
    complaints = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.name.startswith(("uvicorn", "asyncio")) and record.levelno >= logging.WARNING
    ]
    assert [text for text in complaints if not text.startswith(tuple(allowed))] == []


@pytest.fixture(scope="session")
def stopping() -> Iterator[list[RunningServer]]:
    """Servers that were told to stop. uvicorn takes a moment for it, for which the next test need not wait."""
    servers: list[RunningServer] = []
    yield servers
    for server in servers:
        server.join()


@pytest.fixture
def alone(stopping: list[RunningServer]) -> None:
    """No server of an earlier test still writes into the log."""
    for server in stopping:
        server.join()


@pytest.fixture
def serve(stopping: list[RunningServer]) -> Iterator[Serve]:
    """Starts servers, which are told to stop at the test's end."""
    with ExitStack() as stack:

        def start(
            provider: ScriptedProvider | None = None,
            *,
            settings: Settings | None = None,
            limiter: Limiter | None = None,
            **options: Any,  # Any: the options of create_app
        ) -> RunningServer:
            composed = gateway(provider, settings=settings, limiter=limiter)
            server = RunningServer(composed, **options)
            server.start()
            stack.callback(stopping.append, server)
            stack.callback(server.stop)
            return server

        yield start
