"""When a call that failed is sent again, and how long that waits: decided purely."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from megallm.errors import GatewayError, RateLimited, UnfitReply, UpstreamError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often one route is tried, and the waits between.

    A wait is anything up to ``base_seconds`` doubled with each try, ``most_seconds`` at most: calls that failed
    together do not come back together. An upstream that says when to come back is believed, if that is soon.
    """

    tries: int = 3
    base_seconds: float = 0.25
    most_seconds: float = 2.0
    believed_seconds: float = 5.0
    fraction: Callable[[], float] = random.random  # in [0, 1)

    def wait(self, error: GatewayError, tried: int, seconds_left: float) -> float | None:
        """Seconds until the same route is tried again after *tried* tries; None where it is not to be."""
        if not error.retryable or tried >= self.tries:
            return None
        told = retry_after_seconds(error)
        if told is not None and told > self.believed_seconds:
            return None
        wait = self.fraction() * min(self.most_seconds, self.base_seconds * 2 ** (tried - 1))
        wait = max(wait, told or 0.0)
        return wait if wait < seconds_left else None


def is_upstreams(error: GatewayError) -> bool:
    """Whether another route may do better: what is the caller's fault here is the caller's fault there.

    A reply that was generated twice and does not fit was paid for twice: no third one is asked for.
    """
    return isinstance(error, UpstreamError | RateLimited) and not isinstance(error, UnfitReply)


def retry_after_seconds(error: GatewayError) -> float | None:
    """What the upstream asked for, where it asked in seconds."""
    try:
        return max(0.0, float(error.headers["retry-after"]))
    except (KeyError, ValueError):
        return None
