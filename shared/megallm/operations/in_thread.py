"""How an operation on an event loop waits for a store's method, which blocks."""

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class InThread(Protocol):
    """``asyncio.to_thread``, or what a test with a clock of its own puts in its place."""

    def __call__(
        self, work: Callable[P, ResultT], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, ResultT]:  # Any: what a coroutine may be sent, which nobody does
        """Runs *work* elsewhere and waits for its result."""
