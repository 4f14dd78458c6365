"""A way to an engine on which answers get lost: the call is applied, and its caller never hears of it."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from pydantic_core import from_json

Fate = Literal["pass", "lose the answer", "hold the answer", "hold the request"]


class Call:
    """One that came by: the operation, and the update that it asks for."""

    def __init__(self, target: str, body: bytes) -> None:
        self.operation = target.rpartition(".")[2]
        request = from_json(body)
        self.update = str(request.get("UpdateExpression", ""))
        self.item_id = str(request["Key"]["id"]["S"])

    @property
    def kind(self) -> str:
        """Which of the limiter's writes it is."""
        if self.operation != "UpdateItem":
            return self.operation
        if "lz = :lz" in self.update:
            return "create"
        if "#ttl" in self.update:
            return "admit"
        if "REMOVE lz.#l" in self.update:
            return "settle"
        if "lz.#l" in self.update:
            return "renew"
        return "queue" if "q = " in self.update else "charge"


class Proxy:
    """Forwards to an engine; *fate* decides of each call. What has been held is released when the proxy ends."""

    def __init__(self, engine_url: str, fate: Callable[[Call], Fate]) -> None:
        self.calls: list[Call] = []
        self.held = threading.Event()
        self.released = threading.Event()
        proxy = self
        engine = urlsplit(engine_url)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                call = Call(self.headers["x-amz-target"], body)
                proxy.calls.append(call)
                chosen = fate(call)
                if chosen == "hold the request":
                    proxy.held.set()
                    proxy.released.wait()
                    return
                status, answer = self._forward(body)
                if chosen == "pass":
                    self.send_response(status)
                    self.send_header("content-length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                    return
                if chosen == "hold the answer":
                    proxy.held.set()
                    proxy.released.wait()
                self.close_connection = True

            def _forward(self, body: bytes) -> tuple[int, bytes]:
                connection = http.client.HTTPConnection(engine.hostname or "", engine.port)
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in {"host", "content-length", "connection"}
                }
                connection.request("POST", "/", body, headers)
                response = connection.getresponse()
                answer = response.read()
                connection.close()
                return response.status, answer

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the overridden method's name
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Serves meanwhile."""
        self._thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def kinds(self) -> list[str]:
        """The calls so far."""
        return [call.kind for call in self.calls]


def once(kind: str, fate: Fate) -> Callable[[Call], Fate]:
    """The first call of a kind has this fate, all others pass."""
    done = threading.Lock()

    def decide(call: Call) -> Fate:
        return fate if call.kind == kind and done.acquire(blocking=False) else "pass"

    return decide
