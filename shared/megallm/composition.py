"""The composition root: settings in, gateway out. The one place that knows every implementation."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from megallm.catalog.models import BrokenCatalog, Catalog, load
from megallm.limits.unlimited import Unlimited
from megallm.operations.authenticate import Authenticator
from megallm.operations.gateway import Gateway
from megallm.operations.ports import KeyStore, Limiter, Provider
from megallm.settings import BrokenSettings, Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.keys import DynamoKeys

if TYPE_CHECKING:
    from megallm.providers.embedded.provider import EmbeddedProvider


def compose(settings: Settings, aws: AwsTarget = AwsTarget()) -> Gateway:  # noqa: B008  a frozen value
    """The gateway that these settings describe. Raises BrokenSettings or BrokenCatalog."""
    catalog = load(settings.catalog)
    providers: dict[str, Provider] = {}
    for name in sorted(catalog.providers()):
        match name:
            case "embedded":
                embedded = embedded_provider(settings)
                providers[name] = embedded
                catalog = catalog.with_context(name, embedded.context_tokens)
            case _:
                raise BrokenCatalog(f"{settings.catalog}: there is no provider {name}")
    return assemble(settings, DynamoKeys(aws.dynamodb(), settings.keys_table), catalog, providers, Unlimited())


def assemble(
    settings: Settings, keys: KeyStore, catalog: Catalog, providers: Mapping[str, Provider], limiter: Limiter
) -> Gateway:
    """A gateway from parts; tests put theirs in here."""
    authenticator = Authenticator(
        keys, cache_seconds=settings.key_cache_seconds, clock=time.time, monotonic=time.monotonic
    )
    return Gateway(settings, authenticator, catalog, providers, limiter)


def embedded_provider(settings: Settings) -> "EmbeddedProvider":
    """The embedded model. Imported only where it is used: a Lambda bundle does not carry its runtime."""
    from megallm.providers.embedded.provider import EmbeddedProvider

    if settings.model_path is None:
        raise BrokenSettings("MEGALLM_MODEL_PATH: the catalogue routes to the embedded model, so its file is needed")
    return EmbeddedProvider(settings.model_path, threads=settings.model_threads)
