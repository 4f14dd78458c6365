"""Blocking calls of the stores for a route: in a thread, and never left running behind its caller's back."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import ParamSpec, TypeVar

ParamsT = ParamSpec("ParamsT")
ResultT = TypeVar("ResultT")


async def in_thread(function: Callable[ParamsT, ResultT], /, *args: ParamsT.args, **named: ParamsT.kwargs) -> ResultT:
    """What the function returns or raises. Cancelled, it ends first: what it works on may be touched afterwards."""
    call = asyncio.ensure_future(asyncio.to_thread(function, *args, **named))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait([call])
        if not call.cancelled():
            call.exception()  # Nobody else will ask for it.
        raise


async def pieces_in_thread(pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The pieces, each fetched when it is asked for; closing this closes where they come from."""
    try:
        while (piece := await in_thread(next, pieces, None)) is not None:
            yield piece
    finally:
        if isinstance(pieces, Generator):
            await in_thread(pieces.close)
