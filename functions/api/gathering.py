"""A transport that sends a reply's head and the first of its body in one piece, which is one call of the system.

uvicorn writes them apart, and each such call costs as much as the framework's work on a small request.
"""

import asyncio
from typing import Any

_HEAD = b"HTTP/1."


class GatheringTransport:
    """In place of a connection's transport. A head waits for what follows it, until the event loop's turn ends at most.

    All else leaves at once.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """Takes bytes; uvicorn writes a head by itself."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self.flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Sends what waits, and closes."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Sends a head that waits."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:  # Any: whatever else a transport has
        return getattr(self._transport, name)
