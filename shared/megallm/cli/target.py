"""Which AWS a command talks to: the clone's running local stack, unless an option says otherwise."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from megallm.cli.output import clear_errors, fail

if TYPE_CHECKING:
    from megallm.local.state import LocalState
    from megallm.stores.aws import AwsTarget

Profile = Annotated[str | None, typer.Option(help="AWS profile of a deployed stack.")]
Region = Annotated[str | None, typer.Option(help="AWS region of a deployed stack.")]
EndpointUrl = Annotated[str | None, typer.Option(help="Another AWS endpoint, such as an emulator's.")]
Stack = Annotated[str | None, typer.Option("--stack", help="Name of the deployed stack; megallm if not given.")]
TableName = Annotated[str | None, typer.Option("--table", help="The DynamoDB table of the keys.")]


@dataclass(frozen=True, slots=True)
class Target:
    """An AWS and the table of the keys in it; ``local`` where it is the clone's own stack."""

    aws: "AwsTarget"
    keys_table: str
    local: bool


def choose_target(
    profile: str | None, region: str | None, endpoint_url: str | None, table: str | None, stack: str | None = None
) -> Target:
    """The AWS that the options name; without any, the local stack of the folder. Ends the command if it is not up."""
    if profile or region or endpoint_url or stack:
        found = table or table_of("keys", stack)
        return Target(deployed_aws(profile, region, endpoint_url), found, local=False)
    return _local_target(table)


def table_of(role: Literal["keys", "limits", "batches"], stack: str | None) -> str:
    """The table's name in that stack; without one, as the settings have it. Ends the command where those are broken."""
    from megallm.settings import BrokenSettings, Settings
    from megallm.stores.resources import name_of

    if stack is not None:
        return name_of(role, stack)
    with clear_errors(BrokenSettings):
        settings = Settings.from_environ(os.environ)
    name: str = getattr(settings, f"{role}_table")
    return name


def deployed_aws(profile: str | None, region: str | None, endpoint_url: str | None) -> "AwsTarget":
    """The AWS that the options name; AWS_REGION counts too, as for `make deploy`, though boto3 does not read it."""
    from megallm.stores.aws import AwsTarget

    return AwsTarget(region=region or os.environ.get("AWS_REGION"), profile=profile, endpoint_url=endpoint_url)


def running_stack() -> "LocalState":
    """The local stack of the folder. Ends the command if it is not up."""
    from megallm.local.state import UnreadableState, find, is_running

    with clear_errors(UnreadableState):
        state = find(Path.cwd()).load()
    if state is None or not is_running(state):
        fail(
            "no local stack is running for this folder. Start it with `make run` (or `megallm dev`), "
            "or name a deployed one with --profile or --region."
        )
    return state


def _local_target(table: str | None) -> Target:
    from megallm.local.isolation import enter_local_aws, local_target

    state = running_stack()
    enter_local_aws(os.environ, state.aws_endpoint_url)
    return Target(local_target(state.aws_endpoint_url), table or state.keys_table, local=True)
