"""Which batches a command talks to: those of the clone's running local stack, unless an option says otherwise."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from megallm.cli.output import clear_errors, fail
from megallm.cli.target import Target, choose_target, table_of

if TYPE_CHECKING:
    from megallm.operations.batch_ports import BatchPorts
    from megallm.settings import Settings

BatchesTable = Annotated[str | None, typer.Option("--table", help="The DynamoDB table of the batches.")]
Bucket = Annotated[
    str | None, typer.Option(help="The S3 bucket of the batches; else MEGALLM_BATCHES_BUCKET, or the stack's own.")
]


@dataclass(frozen=True, slots=True)
class OpenBatches:
    """The batches, and where they are."""

    ports: "BatchPorts"
    target: Target
    settings: "Settings"

    def owners(self) -> list[str]:
        """All who may have batches: the operator, every key, and on this machine those who came without one."""
        from megallm.batches.model import OPERATOR
        from megallm.keys import ANONYMOUS_ID
        from megallm.stores.open_keys import open_keys

        keys = [record.id for record in open_keys(self.target.aws, self.target.keys_table).list()]
        return [OPERATOR, *keys, *([ANONYMOUS_ID] if self.target.local else [])]

    def tokens_a_minute(self, owner: str) -> int | None:
        """What this owner's batches may use; None for no limit. Ends the command for a key that is not in use."""
        from megallm.batches.model import OPERATOR
        from megallm.composition.batches import Owners
        from megallm.composition.root import tiers_of
        from megallm.settings import BrokenSettings
        from megallm.stores.open_keys import open_keys

        with clear_errors(BrokenSettings):
            tiers = tiers_of(self.settings)
        keys = open_keys(self.target.aws, self.target.keys_table)
        owners = Owners(keys, tiers, self.settings.batch_tokens_per_minute)
        if owner != OPERATOR and not owners.is_known(owner):
            fail(f"the key {owner} is unknown, expired or revoked.")
        return owners.tokens_a_minute(owner)


@contextmanager
def open_batches(
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    table: str | None,
    bucket: str | None,
    stack: str | None,
) -> Iterator[OpenBatches]:
    """The batches that the options name; what goes wrong with them inside becomes one line."""
    from megallm.errors import GatewayError
    from megallm.settings import BrokenSettings, Settings
    from megallm.stores import open_batches as stores
    from megallm.stores.open_keys import NoSuchAws
    from megallm.stores.resources import PREFIX

    target = choose_target(profile, region, endpoint_url, None, stack)
    with clear_errors(BrokenSettings):
        settings = Settings.from_environ(os.environ)
    queues: dict[str, str | None] = {
        "intake": settings.intake_queue_url,
        "work": settings.work_queue_url,
        "finish": settings.finish_queue_url,
    }
    chosen = bucket or settings.batches_bucket
    if target.local:
        local_bucket, queues = _local()
        chosen = bucket or local_bucket
    elif stack is not None:  # what the environment has is of another one
        chosen, queues = bucket, {}
    if not chosen:
        chosen = _bucket_of(target, stack or PREFIX)
    with clear_errors(NoSuchAws), clear_errors(GatewayError, say=_with_cause):
        ports = stores.open_batches(
            target.aws,
            table=table or table_of("batches", stack),
            bucket=chosen,
            queue_urls=queues,
            prefix=stack or PREFIX,
        )
        yield OpenBatches(ports, target, settings)


def _bucket_of(target: Target, stack: str) -> str:
    """What the stack tells. Ends the command where there is none."""
    from megallm.stores.deployed import NoStack, stack_outputs

    with clear_errors(NoStack, say=lambda error: f"{error}. Without a stack, name the bucket with --bucket."):
        outputs = stack_outputs(target.aws, stack)
    if "Bucket" not in outputs:
        fail(f"the stack {stack!r} has no output Bucket: it is no gateway's, or its deployment is not finished.")
    return outputs["Bucket"]


def _local() -> tuple[str, dict[str, str | None]]:
    from megallm.local.state import UnreadableState, find

    with clear_errors(UnreadableState):
        state = find(Path.cwd()).load()
    if state is None:
        fail("the local stack of this folder has just ended.")
    return state.bucket, dict(state.queues)


def _with_cause(error: Exception) -> str:
    """The operator may see what AWS said: wrong region, no such table, no permission."""
    return f"{error}: {error.__cause__}" if error.__cause__ else str(error)
