"""Something that is made, and whose modules are loaded, when it is first used: a cold start pays for none of it."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

MadeT = TypeVar("MadeT")


def late(make: Callable[[], MadeT]) -> MadeT:
    """Stands for what *make* gives."""
    return cast(MadeT, _Late(make))


class _Late(Generic[MadeT]):
    def __init__(self, make: Callable[[], MadeT]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:  # Any: whatever the thing has
        if name == "_made":
            self._made = self._make()  # from here on an attribute of its own; made twice in a race, it does no harm
            return self._made
        value = getattr(self._made, name)
        vars(self)[name] = value
        return value
