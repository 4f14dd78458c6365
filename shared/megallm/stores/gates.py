"""Keeps the calls for one thing to a few at a time, so that a crowd does not become as many calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gates:
    """A gate for each name, through which so many go at once. One that nobody uses takes no memory."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._inside: dict[str, int] = {}
        self._gates: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def through(self, name: str) -> AsyncIterator[bool]:
        """Waits until there is room; whether it had to."""
        users = self._inside.get(name, 0)
        self._inside[name] = users + 1
        gate = self._gates.get(name)
        if gate is None:
            gate = self._gates[name] = asyncio.Semaphore(self._at_once)
        try:
            async with gate:
                yield users >= self._at_once
        finally:
            self._inside[name] -= 1
            if not self._inside[name]:
                del self._inside[name], self._gates[name]
