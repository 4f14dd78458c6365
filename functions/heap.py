"""Tunes the garbage collector for a function that loads all its code and then answers requests."""

import gc
from types import TracebackType

# A request with a long conversation makes thousands of short-lived objects. At Python's own threshold of 700
# they set off full collections, which took half of the CPU time of an 800 KB request.
YOUNG_OBJECTS = 20_000


class Start:
    """``with Start():`` around all imports and the composition: nothing of that is garbage, so nothing is looked for.

    The collector would go over the growing heap again and again, which took a twelfth of a cold start.
    """

    def __enter__(self) -> None:
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        settle()
        gc.enable()


def settle() -> None:
    """Call once, when everything is composed: what stands now is never looked at again by the collector."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
