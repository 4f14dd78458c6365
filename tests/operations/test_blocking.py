"""Blocking calls in a thread, which are never left running behind their caller's back."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from megallm.operations.blocking import in_thread, pieces_in_thread


def test_what_it_returns_or_raises_comes_back() -> None:
    """As if it had been called."""

    async def run() -> tuple[int, str]:
        with pytest.raises(ValueError, match="bad"):
            await in_thread(int, "bad")
        return await in_thread(int, "11", base=2), await in_thread(lambda: threading.current_thread().name)

    value, thread = asyncio.run(run())

    assert (value, thread == threading.current_thread().name) == (3, False)


def test_a_cancelled_call_ends_before_its_caller_goes_on() -> None:
    """What it works on is touched afterwards: a writer is aborted, for one."""
    began, go_on = threading.Event(), threading.Event()
    happened: list[str] = []

    def work() -> None:
        began.set()
        go_on.wait(60)
        happened.append("work ended")
        raise RuntimeError("nobody asks for this")

    async def run() -> None:
        task = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(began.wait, 60)
        task.cancel()
        await asyncio.sleep(0.05)
        happened.append("still waiting" if not task.done() else "went on")
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        happened.append("went on")

    asyncio.run(run())

    assert happened == ["still waiting", "work ended", "went on"]


def test_pieces_come_one_by_one_and_their_source_is_closed() -> None:
    """None is fetched before it is asked for."""
    happened: list[str] = []

    def source() -> Iterator[bytes]:
        try:
            for number in range(3):
                happened.append(f"made {number}")
                yield str(number).encode()
        finally:
            happened.append("closed")

    async def run() -> None:
        pieces = pieces_in_thread(source())
        async for piece in pieces:
            happened.append(f"got {piece.decode()}")
            if piece == b"1":
                break
        await pieces.aclose()

    asyncio.run(run())

    assert happened == ["made 0", "got 0", "made 1", "got 1", "closed"]
