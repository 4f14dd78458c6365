"""`megallm connect`: prints how clients reach a gateway, and proves it with a message."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from megallm.cli.connect_target import (
    KEY_VARIABLE,
    ChosenKey,
    FoundGateway,
    chosen_key,
    deployed_gateway,
    gateway_at,
    local_gateway,
)
from megallm.cli.output import Json, answering, console, fail, print_json, visible
from megallm.cli.target import EndpointUrl, Profile, Region, Stack
from megallm.stores.resources import PREFIX

if TYPE_CHECKING:
    from megallm.cli.connect_message import Answer
    from megallm.cli.connect_settings import Settings

EXIT_STATUSES = (
    "Exit status: 0 it works, 1 there is no such gateway or no key, 2 wrong usage, 3 nothing or something else "
    "answers there, 4 the gateway refuses, 5 it or its model fails, 6 it answers but does not stream."
)


def connect(
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    url: Annotated[str | None, typer.Option(help="Base URL of any gateway, in place of a stack's.")] = None,
    key: Annotated[
        str | None,
        typer.Option(help=f"API key; - reads it from standard input. Else {KEY_VARIABLE}, or the local stack's own."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model of the message and of the settings.")] = None,
    message: Annotated[bool, typer.Option("--message/--no-message", help="Send a message, and time it.")] = True,
    show_key: Annotated[
        bool, typer.Option("--show-key", help=f"Print the key itself, in place of ${KEY_VARIABLE}.")
    ] = False,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", min=1, metavar="SECONDS", help="How long the message may take, or be silent.")
    ] = 120.0,
    as_json: Json = False,
) -> None:
    """Print settings for SDKs, Claude Code and curl, then send a message: how soon does it answer, does it stream.

    Without an option, the local stack of the folder.
    """
    from megallm.cli.connect_failures import NoAnswer
    from megallm.cli.connect_message import client_of, listed_models, send_message
    from megallm.cli.connect_settings import Settings, models_for

    gateway, used = _choose(profile, region, endpoint_url, stack, url, key)
    if message and used is None:
        given = (("profile", profile), ("region", region), ("endpoint-url", endpoint_url), ("stack", stack))
        where = "".join(f" --{name} {shlex.quote(value)}" for name, value in given if value)
        make = f"`megallm keys create --name first{where}` makes one"
        fail(f"a key is missing for the message: give --key or {KEY_VARIABLE}; {make}. --no-message goes without.")
    with client_of(gateway, used, longest_seconds=timeout_seconds) as client:
        try:
            listed = listed_models(client) if used is not None and message else []
            chosen, slots = models_for(listed, model)
            settings = Settings(gateway.base_url, _shown_key(used, show_key), chosen, slots)
            if not as_json:
                _print_settings(gateway, used, settings)
            answer = send_message(client, chosen, longest_seconds=timeout_seconds) if message else None
        except NoAnswer as failed:
            fail(visible(str(failed)), failed.exit_status)
    if as_json:
        print_json(_shown(gateway, settings, answer))
    _judge(gateway, chosen, answer, quiet=as_json)


def _choose(
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    stack: str | None,
    url: str | None,
    key: str | None,
) -> tuple[FoundGateway, ChosenKey | None]:
    if url is not None:
        if profile or region or endpoint_url or stack:
            raise typer.BadParameter("it stands alone: a stack's options find its URL", param_hint="--url")
        return gateway_at(url), chosen_key(key)
    if profile or region or endpoint_url or stack:
        given = chosen_key(key)
        return deployed_gateway(profile, region, endpoint_url, stack or PREFIX), given
    # A key in the environment is a deployed gateway's; the local one has its own.
    option = chosen_key(key) if key is not None else None
    gateway, own = local_gateway()
    return gateway, option or own


def _shown_key(key: ChosenKey | None, show: bool) -> str | None:
    """Only the local stack's, which opens nothing else and which `make run` prints, unless it is asked for."""
    return key.value if key is not None and (show or key.source == "stack") else None


def _print_settings(gateway: FoundGateway, key: ChosenKey | None, settings: "Settings") -> None:
    from megallm.cli.connect_settings import sections

    terminal = console()
    with answering():
        _line("Gateway", gateway.base_url)
        if gateway.streaming is not None:
            _line("Setting", f"streaming={gateway.streaming}")
        if key is None:
            _line("Key", f"none given: the lines below take it from {KEY_VARIABLE}")
        elif settings.key is None:
            how = "" if key.source == "variable" else f", which the lines below take from {KEY_VARIABLE}"
            _line("Key", f"{key.masked}{how}")
        for title, text in sections(settings):
            terminal.print(f"\n{title}", style="bold")
            terminal.print(text, markup=False, highlight=False, soft_wrap=True)


def _judge(gateway: FoundGateway, model: str, answer: "Answer | None", *, quiet: bool) -> None:
    """What the message showed; ends the command where it does not stream as it should."""
    from megallm.cli.connect_arrivals import verdict
    from megallm.cli.connect_failures import NOT_STREAMING

    if answer is None:
        return
    right, told = verdict(answer.arrivals, gateway.streaming)
    if not quiet:
        with answering():
            typer.echo()
            times = f"first token after {answer.arrivals.first:.2f} s, the whole after {answer.arrivals.end:.2f} s"
            _line("Message", f"{model}: {times}")
            if right:
                _line("Stream", told)
            _line("Route", answer.route or "not told")
            if answer.adapted:
                _line("Adapted", answer.adapted)
            _line("Request", answer.request_id or "not told")
    if not right:
        fail(told, NOT_STREAMING)


def _line(label: str, value: str) -> None:
    typer.echo(f"{label:9}{visible(value)}")


def _shown(gateway: FoundGateway, settings: "Settings", answer: "Answer | None") -> dict[str, object]:
    from megallm.cli.connect_message import shown

    return {
        "base_url": gateway.base_url,
        "streaming": gateway.streaming,
        "model": settings.model,
        "environment": {
            "sdk": settings.sdk_environment,
            "claude_code": settings.claude_code_environment,
        },
        "message": None if answer is None else shown(answer),
    }
