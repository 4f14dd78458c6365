"""A transport that sends what is written together in one piece: a reply's head and its body are one call of the system.

uvicorn writes them apart, and each such call costs as much as the framework's work on a small request.
"""

import asyncio
from typing import Any

_MOST_BYTES = 64 * 1024


class GatheringTransport:
    """In place of a connection's transport. What is written in one turn of the event loop leaves at its end."""

    __slots__ = ("_loop", "_pieces", "_size", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Takes bytes; at once where much has come together, so that the connection's own limit is felt."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _MOST_BYTES:
            self._flush()

    def close(self) -> None:
        """Sends what is there, and closes."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            if not self._transport.is_closing():
                self._transport.write(data)

    def __getattr__(self, name: str) -> Any:  # Any: whatever else a transport has
        return getattr(self._transport, name)
