"""An event loop for Mangum: it takes the thread's current one, or makes one that nobody closes."""

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def current_loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
