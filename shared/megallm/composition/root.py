"""Puts the gateway together from what the settings and the catalogue name."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from megallm.catalog.models import Catalog
from megallm.catalog.upstreams import EmbeddedUpstream
from megallm.composition.batch_ports import batch_ports
from megallm.composition.catalogue import load_catalog
from megallm.composition.workshop import Workshop
from megallm.identifiers import new_tool_use_id
from megallm.limits.tiers import BrokenTiers, Tiers
from megallm.limits.tiers import load as load_tiers
from megallm.operations.authenticate import Authenticator
from megallm.operations.gateway import Gateway
from megallm.operations.ports import KeyStore, Limiter, LocalProvider, Provider
from megallm.settings import BrokenSettings, Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.keys import DynamoKeys
from megallm.stores.limits_open import TableLimiter
from megallm.stores.secrets import Secrets
from megallm.telemetry.embedded import EmbeddedMetrics


def compose(settings: Settings, aws: AwsTarget | None = None, environ: Mapping[str, str] | None = None) -> Gateway:
    """The gateway that these settings describe. *environ* has the secrets that the catalogue names by ``env:``.

    Which AWS to talk to, its environment says where *aws* does not. Raises BrokenSettings or BrokenCatalog.
    """
    aws = aws or AwsTarget()
    secrets = Secrets(aws, os.environ if environ is None else environ)
    catalog = load_catalog(settings.catalog, secrets)
    workshop = Workshop(settings, secrets)
    makers: dict[str, Callable[[], Provider]] = {
        name: partial(embedded_provider, settings)
        if isinstance(upstream, EmbeddedUpstream)
        else workshop.maker(name, upstream)
        for name, upstream in catalog.upstreams.items()
    }
    providers = LazyProviders(makers)
    for name, upstream in catalog.upstreams.items():
        if isinstance(upstream, EmbeddedUpstream) and catalog.leaves_context_to(name):
            embedded = embedded_provider(settings)
            providers.set(name, embedded)
            catalog = catalog.with_context(name, embedded.context_tokens)
    dynamodb = aws.dynamodb()
    keys = DynamoKeys(dynamodb, settings.keys_table)
    limiter = TableLimiter(aws, dynamodb, settings.limits_table, tiers_of(settings))
    gateway = assemble(settings, keys, catalog, providers, limiter)
    metrics = None if settings.metrics_stack is None else EmbeddedMetrics(settings.metrics_stack)
    return replace(gateway, shared=workshop, batches=batch_ports(settings, aws), metrics=metrics)


def assemble(
    settings: Settings, keys: KeyStore, catalog: Catalog, providers: Mapping[str, Provider], limiter: Limiter
) -> Gateway:
    """A gateway from parts; tests put theirs in here."""
    authenticator = Authenticator(
        keys, cache_seconds=settings.key_cache_seconds, clock=time.time, monotonic=time.monotonic
    )
    return Gateway(settings, authenticator, catalog, providers, limiter)


def tiers_of(settings: Settings) -> Tiers:
    """The tiers' numbers. Raises BrokenSettings."""
    try:
        return load_tiers(settings.tiers)
    except BrokenTiers as error:
        raise BrokenSettings(f"MEGALLM_TIERS: {error}") from error


class LazyProviders(Mapping[str, Provider]):
    """Providers by name, each made when a request first needs it: a cold start pays for none that it does not use.

    Iterating gives the names of those that have been made.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Provider]]) -> None:
        self._makers = makers
        self._made: dict[str, Provider] = {}

    def set(self, name: str, provider: Provider) -> None:
        """Puts in one that had to be made early."""
        self._made[name] = provider

    def __getitem__(self, name: str) -> Provider:
        provider = self._made.get(name)
        if provider is None:
            provider = self._made[name] = self._makers[name]()
        return provider

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._made))

    def __len__(self) -> int:
        return len(self._made)


def embedded_provider(settings: Settings) -> LocalProvider:
    """The embedded model. Imported only where it is used: a Lambda bundle does not carry its runtime.

    Raises BrokenSettings where there is no file, or one that is no model.
    """
    from megallm.providers.embedded.errors import EmbeddedUnavailable
    from megallm.providers.embedded.provider import EmbeddedProvider

    if settings.model_path is None:
        raise BrokenSettings("MEGALLM_MODEL_PATH: the catalogue routes to the embedded model, so its file is needed")
    try:
        return EmbeddedProvider(settings.model_path, new_tool_id=new_tool_use_id, threads=settings.model_threads)
    except EmbeddedUnavailable as error:
        raise BrokenSettings(str(error)) from error
