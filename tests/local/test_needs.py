"""What a catalogue needs of the local stack."""

from pathlib import Path

import pytest

from megallm.catalog.file_format import BrokenCatalog
from megallm.local.needs import Needs, needs_of
from megallm.settings import BrokenSettings, Settings

HEAD = '[[models]]\nid = "a"\ndisplay_name = "A"\n'


def needs(folder: Path, route: str) -> Needs:
    file = folder / "catalogue.toml"
    file.write_text(f"{HEAD}routes = [{{ {route} }}]\n")
    return needs_of(Settings(catalog=str(file)))


def test_the_shipped_catalogue_needs_the_embedded_model() -> None:
    """It is where all its routes lead."""
    assert needs_of(Settings()) == Needs(embedded_model=True)


def test_a_catalogue_that_routes_elsewhere_needs_no_model_file(tmp_path: Path) -> None:
    """1.1 GB need not be fetched for it."""
    assert needs(tmp_path, 'provider = "openai", model = "m"') == Needs(embedded_model=False)


def test_a_route_to_bedrock_is_refused(tmp_path: Path) -> None:
    """The local stack has no AWS credentials, and says so at start rather than with every request."""
    with pytest.raises(BrokenSettings, match=r"routes to Bedrock \(provider 'bedrock'\)"):
        needs(tmp_path, 'provider = "bedrock", model = "m"')


def test_a_broken_catalogue_is_refused(tmp_path: Path) -> None:
    """With its line, as everywhere."""
    with pytest.raises(BrokenCatalog, match="line 4"):
        needs(tmp_path, 'provider = "nobody", model = "m"')
