"""The limiter that lets everything in and counts nothing."""

from collections.abc import Mapping

from megallm.keys import Caller
from megallm.messages.events import Usage


class _Admitted:
    headers: Mapping[str, str] = {}

    def settle(self, usage: Usage | None) -> None:
        """Nothing was reserved."""


class Unlimited:
    """No limits."""

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> _Admitted:
        """Always."""
        return _Admitted()

    async def aclose(self) -> None:
        """Nothing is open."""
