"""Which addresses are a gateway's: those that somebody gives, and those that a stack tells."""

import os

import pytest
import typer

from megallm.cli.connect_target import FoundGateway, deployed_gateway, gateway_at
from tests.cli.canned_server import Canned, canned, stack_with


@pytest.fixture
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://h:1/p/v1/messages", "http://h:1/p"),
        ("http://h:1/p/v1/", "http://h:1/p"),
        ("http://h:1/p//", "http://h:1/p"),
        ("http://v1/messages", "http://v1/messages"),
        ("https://[::1]:8080", "https://[::1]:8080"),
        ("https://bücher.example", "https://bücher.example"),
    ],
)
def test_what_clients_add_to_an_address_may_be_given(given: str, address: str) -> None:
    """They would add it once more. A host of such a name stays."""
    assert gateway_at(given) == FoundGateway(address, local=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://[abc",
        "http://h:abc",
        "http://h:99999",
        "http://h\x01x",
        "http://h/\x9bx",
        "http://exa..mple",
        "http://xn--/",
        "http://h/?a=b",
        "ftp://h",
        "http://",
        "http://u:secret@h",
        "http://u@h",
    ],
)
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    """Also what only the HTTP client or the look-up of names would stumble over; a password is not shown again."""
    with pytest.raises(typer.BadParameter) as caught:
        gateway_at(url)

    told = "it has the form https://HOST or https://HOST/PATH, without a user or a password"
    assert (caught.value.message, caught.value.param_hint) == (told, "--url")


@pytest.mark.usefixtures("_account")
@pytest.mark.parametrize("body", [b"<html><p>secret", b"<html></html>"])
def test_what_is_no_cloudformation_is_told_without_its_page(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped endpoint, or an AWS on this machine that has no stacks."""
    page = Canned(200, body, {"content-length": str(len(body))})
    with canned({"POST /": page}) as aws, pytest.raises(typer.Exit) as ended:
        deployed_gateway(None, "us-east-1", aws, "megallm")

    told = "megallm: what answers for AWS in us-east-1 is no CloudFormation; --endpoint-url names another\n"
    assert (ended.value.exit_code, capsys.readouterr().err) == (1, told)


@pytest.mark.usefixtures("_account")
def test_an_output_that_is_no_address_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else's stack of that name."""
    with canned({"POST /": stack_with({"Endpoint": "http://[abc"})}) as aws, pytest.raises(typer.Exit) as ended:
        deployed_gateway(None, "us-east-1", aws, "megallm")

    told = "megallm: the stack 'megallm' has no output Endpoint with an address: it is no gateway's, or its deployment"
    assert (ended.value.exit_code, capsys.readouterr().err) == (1, f"{told} is not finished.\n")
