"""Which gateway `megallm connect` talks to, and with which key: the local one, a deployed one, or any by its URL."""

import os
import re
import sys
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import typer

from megallm.cli.output import clear_errors, fail
from megallm.cli.target import deployed_aws, running_stack
from megallm.keys import id_of

KEY_VARIABLE = "MEGALLM_API_KEY"

# What SDKs add themselves, and people copy along.
_ADDED_BY_CLIENTS = re.compile(r"((?<!/)/v1(/messages)?)?/*$")

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
    """One that somebody named, with or without the ``/v1/messages`` that SDKs add. Raises typer.BadParameter."""
    address = _ADDED_BY_CLIENTS.sub("", url, count=1)
    if not _is_address(address):
        raise typer.BadParameter(
            "it has the form https://HOST or https://HOST/PATH, without a user or a password", param_hint="--url"
        )
    return FoundGateway(address, local=False)


def deployed_gateway(profile: str | None, region: str | None, endpoint_url: str | None, stack: str) -> FoundGateway:
    """By the outputs of its stack. Ends the command where there is none."""
    from megallm.stores.deployed import NoStack, stack_outputs

    with clear_errors(NoStack):
        outputs = stack_outputs(deployed_aws(profile, region, endpoint_url), stack)
    address = outputs.get("Endpoint", "").rstrip("/")
    if not _is_address(address):
        missing = f"the stack {stack!r} has no output Endpoint with an address"
        fail(f"{missing}: it is no gateway's, or its deployment is not finished.")
    return FoundGateway(address, local=False, streaming=outputs.get("Streaming"))


def _is_address(text: str) -> bool:
    """Whether it can be asked, and be shown: it has nothing secret, and nothing that a terminal would obey."""
    import httpx

    try:
        parts, address = urlsplit(text), httpx.URL(text)
        # Each raises for what it cannot read: a port, a name as people read it, and as it is looked up.
        _ = (parts.port, address.host, address.raw_host.decode().encode("idna"))
    except (ValueError, httpx.InvalidURL):
        return False
    complete = parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable()
    return complete and "@" not in parts.netloc and "?" not in text and "#" not in text


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
