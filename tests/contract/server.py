"""The real app under a real uvicorn on a free port of 127.0.0.1, in a thread of the test's own process."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from functions.api.app import create_app
from functions.api.server import Server, build_server
from megallm.keys import Caller
from megallm.limits.ledger import Used
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import Usage
from megallm.messages.requests import MessagesRequest
from megallm.operations.gateway import Gateway
from tests.fakes import Pause, ScriptedProvider, Step

ResultT = TypeVar("ResultT")

Script = Sequence[Step] | Callable[[Call[MessagesRequest]], Sequence[Step]]

PATIENCE_SECONDS = 60.0


class WatchedProvider(ScriptedProvider):
    """A scripted provider on whose calls another thread can wait."""

    def __init__(self, script: Script = (), *, adaptations: Sequence[Adaptation] = (), tokens: int = 12) -> None:
        self._changed = threading.Condition()
        super().__init__(script, adaptations=adaptations, tokens=tokens)

    @property
    def running(self) -> int:  # the fake counts in a plain attribute
        return self._count

    @running.setter
    def running(self, count: int) -> None:
        with self._changed:
            self._count = count
            self._changed.notify_all()

    def wait_until_idle(self) -> None:
        """Until no call runs."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count == 0, PATIENCE_SECONDS), "the upstream call goes on"


class CountingLimiter:
    """Lets everything in, and counts who is in and what was settled."""

    def __init__(self) -> None:
        self.inside = 0
        self.settled: list[Usage | None] = []
        self.changed = threading.Condition()

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> "_Slot":
        with self.changed:
            self.inside += 1
        return _Slot(self)

    async def aclose(self) -> None:
        """Nothing is open."""

    def wait_until_empty(self) -> None:
        """Until every slot is free again."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.inside == 0, PATIENCE_SECONDS), "a slot was not freed"


class _Slot:
    headers: Mapping[str, str] = {}

    def __init__(self, limiter: CountingLimiter) -> None:
        self._limiter = limiter

    async def settle(self, usage: Usage | None, used: Used | None = None) -> None:
        with self._limiter.changed:
            self._limiter.inside -= 1
            self._limiter.settled.append(usage)
            self._limiter.changed.notify_all()


class RunningServer:
    """The server between ``with`` and its end, which waits for every request."""

    def __init__(self, composed: Gateway, **options: Any) -> None:  # Any: the options of create_app
        self._app = create_app(composed, **options)
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="server")
        self._loop: asyncio.AbstractEventLoop
        self._server: Server
        self.port = 0

    @property
    def url(self) -> str:
        """What goes into an SDK's ``base_url``."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, awaitable: Awaitable[ResultT]) -> ResultT:
        """Waits for something of the server's loop."""

        async def wait() -> ResultT:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(PATIENCE_SECONDS)

    def wait_until_reached(self, pause: Pause) -> None:
        """Until the upstream has come to this point of its script."""
        self.wait_for(pause.reached.wait())

    def release(self, pause: Pause) -> None:
        """Lets the upstream go on."""
        self._loop.call_soon_threadsafe(pause.released.set)

    def start(self) -> None:
        """Until it answers."""
        self._thread.start()
        self.port = self._started.result(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """Tells it to stop, as Ctrl-C does; ``join`` waits for it."""
        self._server.should_exit = True  # as uvicorn's signal handler sets it; its loop looks every 0.1 s

    def join(self) -> None:
        """Until it has stopped."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the server did not stop"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = build_server(self._app, host="127.0.0.1", port=0, on_started=self._tell_port)
        await self._server.serve()

    def _tell_port(self) -> None:
        self._started.set_result(self._server.servers[0].sockets[0].getsockname()[1])
