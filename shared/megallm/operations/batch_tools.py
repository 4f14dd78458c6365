"""What the parts of one worker process share: the gateway, the room of each upstream, the allowance, the clocks."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from megallm.operations.batch_allowance import NoAllowance
from megallm.operations.batch_concurrency import Slots
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.blocking import in_thread
from megallm.operations.gateway import Gateway
from megallm.operations.in_thread import InThread
from megallm.operations.measure import BatchMeter

_FORGETTING = 0.99  # how much of the longest call is remembered after one more


class Allowance(Protocol):
    """What an owner's batches may use."""

    async def take(self, owner: str, tokens: int) -> None:
        """Waits until the owner may use so many."""

    def correct(self, owner: str, estimated: int, used: int) -> None:
        """What was taken as *estimated* turned out to be this much."""

    def closed_seconds(self, owner: str) -> float:
        """How long the owner has to wait from now on, as far as is known."""


@dataclass(slots=True)
class BatchTools:
    """``concurrency`` bounds the calls in flight to one upstream. ``clock`` is in seconds since 1970."""

    gateway: Gateway
    ports: BatchPorts
    concurrency: int
    allowance: Allowance = field(default_factory=NoAllowance)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    in_thread: InThread = in_thread
    fraction: Callable[[], float] = random.random
    meter: BatchMeter = field(default_factory=BatchMeter)
    longest_call_seconds: float = 0.0
    _slots: dict[str, Slots] = field(default_factory=dict)

    def slots(self, provider: str) -> Slots:
        """The room of a provider's upstream."""
        slots = self._slots.get(provider)
        if slots is None:
            slots = self._slots[provider] = Slots(self.concurrency, self.monotonic, self.fraction)
        return slots

    def call_took(self, began: float) -> None:
        """A call that began at this moment of ``monotonic`` has ended."""
        self.longest_call_seconds = max(self.monotonic() - began, self.longest_call_seconds * _FORGETTING)
