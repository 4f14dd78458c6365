"""The seam through which a provider gets the key of its upstream; where keys are kept is not its business."""

from typing import Protocol


class ApiKey(Protocol):
    """A key of an upstream, which its operator may rotate while the gateway runs."""

    async def get(self) -> str:
        """The key as it is known now; read where it is not. Raises GatewayError."""

    def forget(self) -> None:
        """The upstream refused the key: the next ``get`` reads it anew."""
