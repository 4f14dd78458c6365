"""The seams of the operations: what a provider, a key store and a limiter must offer."""

from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from megallm.keys import Caller, KeyRecord, Limits, Tier
from megallm.limits.ledger import Used
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import Reply, StreamEvent, Usage
from megallm.messages.requests import MessagesRequest, TokenCountRequest


class PreparedCall(Protocol):
    """A call translated for its upstream, not yet sent. Either method may be used; again only after it failed."""

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What the translation had to change or leave out; empty where nothing was."""

    @property
    def usage(self) -> Usage | None:
        """Tokens used so far, by a call that was broken off too; None where nothing was sent or nothing is known."""

    async def create(self) -> Reply:
        """Sends the call and gives the whole reply. Raises GatewayError; cancelling it ends the upstream call."""

    def stream(self) -> AsyncGenerator[StreamEvent, None]:
        """Sends the call when first advanced. Raises GatewayError in place of the events that never came.

        Closing or cancelling the generator ends the upstream call.
        """


class Provider(Protocol):
    """One kind of upstream."""

    async def prepare(self, call: Call[MessagesRequest]) -> PreparedCall:
        """Translates; reads no more than what that needs: the signing secret, images that it is allowed to fetch.

        Raises InvalidRequest, naming the field, for what cannot be honoured at all.
        """

    async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
        """The input tokens of the request: system, tools and conversation."""

    async def aclose(self) -> None:
        """Ends what is running and frees connections or memory."""


class Closeable(Protocol):
    """Something that is closed once, at the end."""

    async def aclose(self) -> None:
        """Frees what it holds."""


@runtime_checkable
class LocalProvider(Provider, Protocol):
    """A provider whose model lies on this machine, and which alone knows the model's context."""

    @property
    def context_tokens(self) -> int:
        """Tokens that a request and its reply may have together."""

    async def load(self) -> None:
        """Loads the model now rather than with the first call."""


class KeyStore(Protocol):
    """Where the records of keys live. Its methods block; callers on an event loop use a thread."""

    def get(self, key_id: str) -> KeyRecord | None:
        """The record, revoked or not, as of now (a consistent read)."""

    def add(self, record: KeyRecord) -> bool:
        """Stores a new record; False where the id is taken."""

    def put(self, record: KeyRecord) -> None:
        """Stores the record in place of whatever has its id."""

    def revoke(self, key_id: str, at: int) -> KeyRecord | None:
        """Marks the key as revoked and gives the record; the first time stands. None where there is no such key."""

    def set_tier(self, key_id: str, tier: Tier, limits: Limits | None) -> KeyRecord | None:
        """Gives the key a tier, with numbers of its own or without, and gives the record. None for no such key."""

    def list(self) -> Iterator[KeyRecord]:
        """All records, in no order."""


class Admission(Protocol):
    """A request that was let in; it keeps its place while it runs. ``settle`` is called once, in every exit."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the response says of the limits."""

    def settle(self, usage: Usage | None, used: Used | None = None) -> Awaitable[None] | None:
        """The call is over and used this much; None where nothing is known: what was reserved stays charged then.

        *used* goes into the key's ledger, exactly once; None where nothing is to be counted.

        Returns what to wait for, or None where nothing is left to be done.
        """


class Limiter(Protocol):
    """Decides whether a caller's request may go on now."""

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> Admission:
        """Raises RateLimited, or InternalError where it cannot be told. Cancelled, it gives back what it took."""

    async def aclose(self) -> None:
        """Closes connections."""
