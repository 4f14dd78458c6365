"""One call to an upstream: the request, what the chosen route says about it, and what was adapted for it."""

from typing import Generic, Literal, TypeVar

from megallm.messages.compatibility import EVERYTHING, Takes
from megallm.messages.frozen import frozen
from megallm.messages.requests import TokenCountRequest

RequestT = TypeVar("RequestT", bound=TokenCountRequest, covariant=True)

ApiVersion = Literal["2023-06-01", "2026-10-21"]


@frozen
class Adaptation:
    """A request field that changed meaning or vanished on the chosen upstream, and how.

    ``field`` is a dotted path such as ``thinking`` or ``anthropic-beta.<flag>``; ``change`` one
    word or short phrase such as ``dropped``. Both are shown to the caller in ``megallm-adapted``.
    """

    field: str
    change: str


@frozen
class Call(Generic[RequestT]):
    """What a provider needs to answer one request.

    ``upstream_model`` is the upstream's own name of the model; ``betas`` are the flags of the ``anthropic-beta``
    header, in their order and without repetition; ``body`` is the request's JSON as it came, which a native upstream
    gets as it is; ``takes`` is the route's table; ``context_tokens`` and ``max_output_tokens`` are the catalogue's,
    None where it does not know. ``headers`` are those of ``CALLER_HEADERS`` that the request has.
    """

    request: RequestT
    upstream_model: str
    betas: tuple[str, ...] = ()
    body: bytes = b""
    version: ApiVersion = "2023-06-01"
    takes: Takes = EVERYTHING
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
