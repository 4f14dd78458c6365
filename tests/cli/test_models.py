"""`megallm models` over a catalogue of one's own: who answers, and nothing that opens a door."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from megallm.cli.app import app

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
