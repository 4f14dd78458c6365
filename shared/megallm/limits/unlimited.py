"""The limiter that lets everything in and counts nothing."""

from collections.abc import Mapping

from megallm.keys import Caller
from megallm.limits.ledger import Used
from megallm.messages.events import Usage


class _Admitted:
    headers: Mapping[str, str] = {}

    def settle(self, usage: Usage | None, used: Used | None = None) -> None:
        """Nothing was reserved, and there is no ledger: what batches use stands in their own records."""


class Unlimited:
    """No limits."""

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> _Admitted:
        """Always."""
        return _Admitted()

    async def aclose(self) -> None:
        """Nothing is open."""
