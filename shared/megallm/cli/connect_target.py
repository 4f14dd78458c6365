"""Which gateway `megallm connect` talks to, and with which key: the local one, a deployed one, or any by its URL."""

import os
import sys
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import typer

from megallm.cli.output import clear_errors, fail
from megallm.cli.target import deployed_aws, running_stack
from megallm.keys import id_of

KEY_VARIABLE = "MEGALLM_API_KEY"

KeySource = Literal["stack", "variable", "option"]


@dataclass(frozen=True, slots=True)
class ChosenKey:
    """An API key, and where it came from: the local ``stack``'s own, the ``variable``, or an ``option`` (or stdin)."""

    value: str
    source: KeySource

    @property
    def masked(self) -> str:
        """What may be shown of it: its id, by which `megallm keys` knows it."""
        return f"mega_{id_of(self.value)}_..."


@dataclass(frozen=True, slots=True)
class FoundGateway:
    """Its base URL, as SDKs take it; ``streaming`` is what its stack was deployed with, None where nobody says."""

    base_url: str
    local: bool
    streaming: str | None = None


def local_gateway() -> tuple[FoundGateway, ChosenKey]:
    """The local stack of the folder. Ends the command if it is not up."""
    state = running_stack()
    return FoundGateway(state.base_url, local=True), ChosenKey(state.api_key, "stack")


def gateway_at(url: str) -> FoundGateway:
    """One that somebody named. SDKs add ``/v1/messages`` themselves. Raises typer.BadParameter."""
    stripped = url.rstrip("/").removesuffix("/v1")
    parts = urlsplit(stripped)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise typer.BadParameter(
            "it has the form https://HOST or https://HOST/PATH, without /v1/messages", param_hint="--url"
        )
    return FoundGateway(stripped, local=False)


def deployed_gateway(profile: str | None, region: str | None, endpoint_url: str | None, stack: str) -> FoundGateway:
    """By the outputs of its stack. Ends the command where there is none."""
    from megallm.stores.deployed import NoStack, stack_outputs

    with clear_errors(NoStack):
        outputs = stack_outputs(deployed_aws(profile, region, endpoint_url), stack)
    if "Endpoint" not in outputs:
        fail(f"the stack {stack!r} has no output Endpoint: it is no gateway's, or its deployment is not finished.")
    return FoundGateway(outputs["Endpoint"].rstrip("/"), local=False, streaming=outputs.get("Streaming"))


def chosen_key(option: str | None) -> ChosenKey | None:
    """The option's, ``-`` for a line of standard input, else the environment's. Raises typer.BadParameter.

    What is no key of a gateway's is not sent anywhere: it may be one of Anthropic's.
    """
    if option is not None:
        return _checked(sys.stdin.readline().strip() if option == "-" else option, "option", "--key")
    value = os.environ.get(KEY_VARIABLE)
    return _checked(value, "variable", KEY_VARIABLE) if value else None


def _checked(value: str, source: KeySource, where: str) -> ChosenKey:
    if id_of(value) is None:
        raise typer.BadParameter(
            "it is no key of a MegaLLM gateway: they are mega_, 8 characters, _, and 43 more", param_hint=where
        )
    return ChosenKey(value, source)
