"""What an operator can set, read once from the environment by whoever composes the gateway."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "MEGALLM_"
# Variables of the same prefix that are read by others: the README's examples, and `megallm models`.
NOT_SETTINGS = frozenset({"MEGALLM_BASE_URL", "MEGALLM_API_KEY", "MEGALLM_MODELS_DIR"})
MEBIBYTE = 1024 * 1024


class BrokenSettings(Exception):
    """A setting is unknown or has no valid value; the message names the variable."""


class Settings(BaseModel):
    """Each field is the environment variable ``MEGALLM_<FIELD>``; the comments give units and reasons."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    # DynamoDB table of the API keys.
    keys_table: str = "megallm-keys"
    # DynamoDB table of what each key has used.
    limits_table: str = "megallm-limits"
    # A TOML file with the tiers' numbers, in place of those that ship.
    tiers: Path | None = None
    # DynamoDB table of the batches, and the bucket of their files. Without a bucket there are no batches; with one, the
    # three queues are needed too.
    batches_table: str = "megallm-batches"
    batches_bucket: str | None = None
    intake_queue_url: str | None = None
    work_queue_url: str | None = None
    finish_queue_url: str | None = None
    # Calls of batches in flight to one upstream, in one worker process.
    batch_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 64
    # What the batches of one owner may use, beside its other calls. Without it: what the key's tier has, and no limit
    # for the operator's own.
    batch_tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    # The EventBridge bus that is told of the end of a batch; without one it is only logged.
    event_bus: str | None = None
    # The stack that the log's metrics are of (CloudWatch's embedded metric format); without it, there are none in it.
    metrics_stack: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")] | None = None
    # The routes: "local" or "aws" for a catalogue that ships, or the path of a TOML file.
    catalog: str = "local"
    # Refuses whatever would otherwise be adapted, and the fields that Anthropic's own API refuses.
    strict: bool = False
    # The largest request body. A buffered Lambda carries 6 MB; a server can carry Anthropic's own 32 MB.
    max_body_bytes: Annotated[int, Field(ge=1024)] = 32 * MEBIBYTE
    # How long a key's record is believed: the delay of a revocation.
    key_cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0
    # One upstream call, from the first byte sent to the last byte read.
    upstream_timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    # The secret that signs the thinking of translated upstreams: env:NAME, secretsmanager:NAME or ssm:/NAME. Without
    # one each process makes its own, and drops the thinking that another one signed.
    signing_secret: Annotated[str, Field(pattern=r"^(env|secretsmanager|ssm):.")] | None = None
    # Whether images that a request gives by URL may be fetched by the gateway, for upstreams that take only bytes.
    fetch_image_urls: bool = False
    # Whether calls to upstreams go through the proxies of the environment (HTTPS_PROXY and the like).
    use_proxies: bool = False
    # The embedded model's GGUF file, and its threads (default: all cores but one).
    model_path: Path | None = None
    model_threads: Annotated[int, Field(ge=1)] | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Raises BrokenSettings, also for an unknown ``MEGALLM_`` variable: a typo must not pass in silence."""
        values = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and name not in NOT_SETTINGS
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            lines = [
                _told(f"{PREFIX}{str(item['loc'][0]).upper()}", item["type"], item["msg"]) for item in error.errors()
            ]
            raise BrokenSettings("; ".join(lines)) from None


def _told(name: str, error_type: str, message: str) -> str:
    if error_type != "extra_forbidden":
        return f"{name}: {message}"
    known = sorted({f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | NOT_SETTINGS)
    near = get_close_matches(name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in known])
    if near:
        return f"{name} is an unknown setting; did you mean {' or '.join(PREFIX + other for other in near)}?"
    return f"{name} is an unknown setting; there are {', '.join(known)}"
