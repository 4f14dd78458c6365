"""`megallm models` over a catalogue of one's own: who answers, and nothing that opens a door."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from megallm.catalog.file_format import BrokenCatalog
from megallm.cli.app import app
from megallm.composition import compose
from megallm.settings import Settings

FILE = """
[providers.house]
kind = "openai"
base_url = "http://127.0.0.1:8000/v1"
headers = { x-proxy-auth = "sk-0123456789" }
query = { key = "sk-0123456789" }
first_byte_seconds = 5

[[models]]
id = "a"
display_name = "A"
routes = [{ provider = "house", model = "m" }]
"""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_secrets_in_headers_and_query_are_not_printed(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may see the models need not see the operator's keys."""
    file = tmp_path / "models.toml"
    file.write_text(FILE)
    monkeypatch.setenv("MEGALLM_CATALOG", str(file))

    told = CliRunner().invoke(app, ["models", *options])

    assert (told.exit_code, "house" in told.output, "sk-0123456789" in told.output) == (0, True, False)
    if options:
        assert json.loads(told.output)[0]["routes"] == [{"provider": "house", "model": "m"}]


@pytest.mark.parametrize(
    ("written", "broken"),
    [("query = { key", "query = { other = 7, key"), ("query = { key =", "query = { key"), ("headers", "heders")],
    ids=["no text", "no TOML", "no such member"],
)
def test_a_broken_catalogue_does_not_print_them_either(
    written: str, broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, the line and the reason are enough."""
    file = tmp_path / "models.toml"
    file.write_text(FILE.replace(written, broken))
    monkeypatch.setenv("MEGALLM_CATALOG", str(file))

    told = CliRunner().invoke(app, ["models"])

    assert (told.exit_code, "sk-0123456789" in told.output) == (1, False)
    assert "line" in told.output


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ('features.prefil = "trailing"', "providers.house.takes.features.prefil: Extra inputs are not permitted"),
        ('features.prefill = "maybe"', "providers.house.takes.features.prefill: Input should be '', 'trailing'"),
        ('fields.system = "-> foo"', "providers.house.takes.fields.system: a provider of the kind openai keeps to "),
        ('headers.x-foo = "pass"', "providers.house.takes.headers.x-foo: there are rules for anthropic-user-profile-"),
    ],
)
def test_a_catalogue_that_no_gateway_would_start_with_is_refused(
    member: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same words as at a start."""
    file = tmp_path / "models.toml"
    file.write_text(FILE.replace("first_byte_seconds = 5", f"takes.{member}"))
    monkeypatch.setenv("MEGALLM_CATALOG", str(file))
    with pytest.raises(BrokenCatalog) as caught:
        compose(Settings(catalog=str(file)), environ={})

    shown = CliRunner().invoke(app, ["models"])

    assert str(caught.value).startswith(f"{file}, line 7: {told}")
    assert (shown.exit_code, "".join(shown.stderr.split())) == (1, "".join(f"megallm: {caught.value}".split()))


def test_keys_need_not_be_there_to_look_at_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is written is seldom where it runs."""
    file = tmp_path / "models.toml"
    file.write_text(FILE.replace("first_byte_seconds = 5", 'api_key = "env:NOT_SET_ANYWHERE"'))
    monkeypatch.setenv("MEGALLM_CATALOG", str(file))

    assert CliRunner().invoke(app, ["models"]).exit_code == 0
