"""What whoever deploys can choose: one context key each, with its default. docs/deploy.md's table is made from here."""

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from megallm.stores.resources import PREFIX

Streaming = Literal["runtime", "adapter", "off"]
Architecture = Literal["auto", "arm64", "x86_64"]
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731, 1827, 3653]


class BrokenOptions(Exception):
    """A context key is unknown or has no valid value; the message names it."""


def _number(value: object) -> object:
    """The CLI gives numbers as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Options(BaseModel):
    """Each field is a context key: ``-c name=value``, or a member of ``context`` in cdk.json or cdk.context.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9-]{0,23}$",
            description="The stack's name, and the beginning of every table's and queue's. One gateway each.",
        ),
    ] = PREFIX
    streaming: Annotated[
        Streaming,
        Field(
            description="How `POST /v1/messages` and the results of batches are served: `runtime` streams through our "
            "own client of Lambda's Runtime API, `adapter` through AWS's Lambda Web Adapter, `off` buffers: 28 s, 6 MB."
        ),
    ] = "runtime"
    adapter_layer_arn: Annotated[
        str,
        Field(description="The Lambda Web Adapter's layer, for `streaming=adapter`. AWS publishes its versions."),
    ] = ""
    architecture: Annotated[
        Architecture,
        Field(
            description="`arm64` or `x86_64`. `auto` is arm64, but with Python 3.11: its runtime's C library is too "
            "old for one of our dependencies there."
        ),
    ] = "auto"
    catalog: Annotated[
        str, Field(description="`aws`, which ships, or the path of a catalogue of your own (docs/catalogue.md).")
    ] = "aws"
    tiers: Annotated[str, Field(description="The path of a tiers file (docs/limits.md). Empty: what ships.")] = ""
    strict: Annotated[
        bool, Field(description="Refuse whatever would otherwise be adapted, as Anthropic's own API does.")
    ] = False
    fetch_image_urls: Annotated[
        bool, Field(description="Fetch images that requests give by URL, for upstreams that take only bytes.")
    ] = False
    secrets_key_arn: Annotated[
        str, Field(description="The KMS key of the upstreams' secrets, where it is not AWS's own for the service.")
    ] = ""
    api_memory_mb: Annotated[
        int, Field(ge=512, le=10240, description="Memory of the two HTTP functions; CPU grows with it.")
    ] = 1024
    worker_memory_mb: Annotated[int, Field(ge=512, le=10240, description="Memory of the batch functions.")] = 1024
    worker_concurrency: Annotated[
        int,
        Field(
            ge=2,
            le=1000,
            description="How many parts of batches are worked on at once; one batch gains nothing beyond 100, since "
            "all count on its record.",
        ),
    ] = 10
    batch_tokens_per_minute: Annotated[
        int,
        Field(ge=0, description="What one owner's batches may use, beside its other calls; 0: what its tier has."),
    ] = 0
    batch_concurrency: Annotated[
        int, Field(ge=1, le=1000, description="Calls in flight to one upstream from one part of a batch.")
    ] = 64
    upstream_timeout_seconds: Annotated[
        int, Field(ge=1, le=890, description="How long one call to an upstream may take, its last token included.")
    ] = 600
    key_cache_seconds: Annotated[
        int, Field(ge=0, le=3600, description="How long a key's record is believed: so long a revoked key still works.")
    ] = 30
    domain_name: Annotated[
        str,
        Field(
            pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+)?$",
            description="A domain of your own for the API, such as `llm.example.com`.",
        ),
    ] = ""
    certificate_arn: Annotated[
        str,
        Field(
            pattern=r"^(arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+)?$",
            description="Its certificate in AWS Certificate Manager, in the region of the stack.",
        ),
    ] = ""
    requests_per_second: Annotated[
        int, Field(ge=1, le=10000, description="API Gateway's own limit over all keys, before any tier's.")
    ] = 200
    burst_requests: Annotated[int, Field(ge=1, le=5000, description="How many of them may come at once.")] = 400
    log_days: Annotated[LogDays, BeforeValidator(_number), Field(description="For how many days logs are kept.")] = 30
    result_days: Annotated[
        int, Field(ge=0, le=3650, description="How long inputs and results of batches stay in the bucket; 0: for ever.")
    ] = 0
    noncurrent_days: Annotated[
        int, Field(ge=1, le=3650, description="How long an object that was overwritten or deleted can be brought back.")
    ] = 30
    retain_data: Annotated[
        bool,
        Field(description="Tables and bucket outlive the stack; a later deployment of the same name takes them up."),
    ] = True
    alarm_email: Annotated[
        str, Field(description="Where alarms are sent. AWS mails a link first, which has to be opened.")
    ] = ""

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Self:
        """Reads CDK's context, in which CDK's own keys have a ``:``, a ``/`` or a ``-``. Raises BrokenOptions."""
        ours = {name: value for name, value in context.items() if not set(":/-").intersection(name)}
        try:
            options = cls.model_validate(ours)
        except ValidationError as error:
            lines = [_told(str(item["loc"][0]), item["type"], item["msg"]) for item in error.errors()]
            raise BrokenOptions("; ".join(lines)) from None
        if bool(options.domain_name) != bool(options.certificate_arn):
            raise BrokenOptions("domain_name and certificate_arn: a domain of your own needs both")
        return options


def _told(name: str, error_type: str, message: str) -> str:
    if error_type != "extra_forbidden":
        return f"{name}: {message}"
    near = get_close_matches(name, Options.model_fields)
    if near:
        return f"{name} is an unknown context key; did you mean {' or '.join(near)}?"
    return f"{name} is an unknown context key; there are {', '.join(Options.model_fields)}"


def table() -> str:
    """All keys with their defaults and meanings, in Markdown."""
    lines = ["| key | default | |", "| --- | --- | --- |"]
    for name, field in Options.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        lines.append(f"| `{name}` | {f'`{default}`' if default else 'none'} | {field.description}{_choices(name)} |")
    return "\n".join(lines) + "\n"


def _choices(name: str) -> str:
    """Where the description cannot list them in passing."""
    return f" One of {', '.join(map(str, get_args(LogDays)))}." if name == "log_days" else ""


if __name__ == "__main__":
    sys.stdout.write(table())
