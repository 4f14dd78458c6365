"""The composed gateway: everything that the operations need, in one immutable object."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from megallm.catalog.models import Catalog
from megallm.operations.authenticate import Authenticator
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.ports import Closeable, Limiter, LocalProvider, Provider
from megallm.operations.retry import RetryPolicy
from megallm.settings import Settings
from megallm.telemetry.embedded import EmbeddedMetrics


@dataclass(frozen=True, slots=True)
class Gateway:
    """One per process. ``providers`` has an entry for each provider that the catalogue names."""

    settings: Settings
    authenticator: Authenticator
    catalog: Catalog
    providers: Mapping[str, Provider]
    limiter: Limiter
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    shared: Closeable | None = None  # what the providers have in common, such as connections
    batches: BatchPorts | None = None  # None: this deployment has no bucket for them
    metrics: EmbeddedMetrics | None = None  # None: nothing reads them from the log

    async def load_models(self) -> None:
        """Loads the models of this machine now, so that the first request does not wait for them."""
        for provider in self.providers.values():
            if isinstance(provider, LocalProvider):
                await provider.load()

    async def aclose(self) -> None:
        """Ends every upstream call and frees what the providers hold."""
        for provider in self.providers.values():
            await provider.aclose()
        await self.limiter.aclose()
        if self.shared is not None:
            await self.shared.aclose()
