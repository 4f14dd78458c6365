"""The environment of each function: the settings that make the deployed resources and the options theirs."""

from collections.abc import Mapping

from infra.function_specs import FunctionSpec
from infra.options import Options
from megallm.settings import PREFIX as VARIABLE
from megallm.stores.resources import TABLES, name_of

# An event carries at most 6 MB, the body's quotes escaped; a little less leaves room for its headers.
_MOST_BODY_BYTES = 6_000_000 - 100_000


def environment(
    spec: FunctionSpec, options: Options, *, bucket: str, queue_urls: Mapping[str, str], signing_secret: str
) -> dict[str, str]:
    """Variables by name; values may be CDK's tokens. What is not here has the default of ``Settings``."""
    settings = {f"{table.role}_table": name_of(table.role, options.name) for table in TABLES}
    settings |= {f"{role}_queue_url": url for role, url in queue_urls.items()}
    settings |= {
        "batches_bucket": bucket,
        "event_bus": EVENT_BUS,
        "metrics_stack": options.name,
        "catalog": "aws" if options.catalog == "aws" else CATALOG,
        "signing_secret": f"secretsmanager:{signing_secret}",
        "strict": _text(options.strict),
        "fetch_image_urls": _text(options.fetch_image_urls),
        "batch_concurrency": str(options.batch_concurrency),
        "upstream_timeout_seconds": str(options.upstream_timeout_seconds),
        "key_cache_seconds": str(options.key_cache_seconds),
    }
    if options.batch_tokens_per_minute:
        settings["batch_tokens_per_minute"] = str(options.batch_tokens_per_minute)
    if options.tiers:
        settings["tiers"] = TIERS
    if spec.serves_http:
        settings["max_body_bytes"] = str(_MOST_BODY_BYTES)
    return {f"{VARIABLE}{name.upper()}": value for name, value in sorted(settings.items())}


EVENT_BUS = "default"  # the account's own, which every account has

# What the bundle calls the files that the options name; a function starts in its own folder.
CATALOG = "catalog.toml"
TIERS = "tiers.toml"


def _text(value: bool) -> str:
    return str(value).lower()
