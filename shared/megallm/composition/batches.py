"""Puts together what the batch functions work with. Their clients are made when they are first needed."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from megallm.batches.model import OPERATOR
from megallm.composition.root import compose, tiers_of
from megallm.errors import InternalError
from megallm.keys import KeyStatus, status
from megallm.limits.tiers import Tiers
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.gateway import Gateway
from megallm.operations.ports import KeyStore
from megallm.settings import BrokenSettings, Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.keys import DynamoKeys
from megallm.telemetry.metrics import NONE

if TYPE_CHECKING:
    from megallm.operations.batch_index import IndexRules
    from megallm.operations.run_part import Worker


@dataclass(frozen=True, slots=True)
class Owners:
    """Whose batches these are: the operator's, or those of a key."""

    keys: KeyStore
    tiers: Tiers
    tokens_per_minute: int | None
    clock: Callable[[], float] = time.time

    def is_known(self, owner: str) -> bool:
        """Whether this is the id of a key that may be used. Raises InternalError."""
        return self.standing(owner) == "active"

    def standing(self, owner: str) -> KeyStatus | None:
        """How it stands with the key of this id; None where there is none. Raises InternalError."""
        record = self.keys.get(owner)
        return None if record is None else status(record, self.clock())

    def tokens_a_minute(self, owner: str) -> int | None:
        """What its batches may use; None for no limit. Raises InternalError."""
        if self.tokens_per_minute is not None or owner == OPERATOR:
            return self.tokens_per_minute
        record = self.keys.get(owner)
        if record is None:  # deleted meanwhile: what it had begun goes on, slowly
            return self.tiers.basic.tokens_per_minute
        return (record.limits or self.tiers.of_tier(record.tier)).tokens_per_minute

    def tier(self, owner: str) -> str:
        """Its tier, for the metrics. An owner that cannot be asked for now has none: no work waits for that."""
        if owner == OPERATOR:
            return OPERATOR
        try:
            record = self.keys.get(owner)
        except InternalError:
            return NONE
        return NONE if record is None else record.tier


@dataclass(frozen=True, slots=True)
class BatchWork:
    """What the intake, the worker and the finisher have in common."""

    gateway: Gateway
    ports: BatchPorts
    owners: Owners

    @property
    def rules(self) -> "IndexRules":
        """What the intake and the sweeper go by."""
        # Imported here, as below: no function loads what only the others work with.
        from megallm.operations.batch_index import IndexRules

        return IndexRules(self.gateway.catalog, self.owners.tokens_a_minute)

    def worker(self) -> "Worker":
        """A worker; one a process. Made on the event loop that it works on, or before that runs."""
        from megallm.operations.batch_allowance import BatchAllowance
        from megallm.operations.run_part import Worker

        allowance = BatchAllowance(
            self.gateway.limiter,
            self.owners.tokens_a_minute,
            clock=time.monotonic,
            in_thread=asyncio.to_thread,
        )
        settings = self.gateway.settings
        return Worker(
            self.gateway,
            self.ports,
            concurrency=settings.batch_concurrency,
            allowance=allowance,
            tier_of=self.owners.tier,
        )


def compose_batches(settings: Settings, aws: AwsTarget | None = None, gateway: Gateway | None = None) -> BatchWork:
    """For the functions that work on batches; *gateway* is theirs, if they have one. Imports no web framework.

    Raises BrokenSettings, also where the settings name no bucket, or BrokenCatalog.
    """
    aws = aws or AwsTarget()
    gateway = gateway or compose(settings, aws)
    if gateway.batches is None:
        raise BrokenSettings("MEGALLM_BATCHES_BUCKET: it is needed to work on batches")
    keys = DynamoKeys(aws.batch_dynamodb(), settings.keys_table)
    return BatchWork(gateway, gateway.batches, Owners(keys, tiers_of(settings), settings.batch_tokens_per_minute))
