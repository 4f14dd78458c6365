"""The catalogue as a start loads it: keys that are not there are told with the line that names them."""

from pathlib import Path

import pytest

from megallm.catalog.file_format import BrokenCatalog
from megallm.composition.catalogue import load_catalog
from megallm.stores.aws import AwsTarget
from megallm.stores.secrets import Secrets

MODEL = '[[models]]\nid = "a"\ndisplay_name = "A"\n'
HOUSE = '[providers.house]\nkind = "anthropic"\napi_key = "env:HOUSE_KEY"\n'


def loaded(folder: Path, text: str, **environ: str) -> set[str]:
    """The upstreams of a catalogue where the environment has these."""
    file = folder / "models.toml"
    file.write_text(text)
    return set(load_catalog(str(file), Secrets(AwsTarget(), environ)).upstreams)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f'{MODEL}routes = [{{ provider = "house", model = "m" }}]\n{HOUSE}',
            "line 7: providers.house.api_key: the environment variable HOUSE_KEY is not set",
        ),
        (
            MODEL + 'routes = [\n{ provider = "embedded", model = "m" },\n{ provider = "openai", model = "m" },\n]\n',
            "line 7: models.0.routes.1.provider: openai needs its key: the environment variable OPENAI_API_KEY is "
            "not set",
        ),
        (
            f'[defaults]\nroutes = [{{ provider = "anthropic", model = "m" }}]\n{MODEL}',
            "line 2: defaults.routes.0.provider: anthropic needs its key: the environment variable ANTHROPIC_API_KEY "
            "is not set",
        ),
    ],
)
def test_a_key_that_is_not_there_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    """A provider without a table stands where a route names it."""
    with pytest.raises(BrokenCatalog) as caught:
        loaded(tmp_path, text)

    assert str(caught.value) == f"{tmp_path / 'models.toml'}, {told}"


def test_keys_that_are_there_are_taken_and_those_that_nobody_asks_for_need_not_be(tmp_path: Path) -> None:
    """Keys that AWS holds are asked for later."""
    text = f"""
{MODEL}routes = [{{ provider = "house", model = "m" }}, {{ provider = "aws", model = "m" }}]
{HOUSE}
[providers.aws]
kind = "openai"
api_key = "ssm:/key"
[providers.spare]
kind = "openai"
api_key = "env:SPARE_KEY"
"""

    assert loaded(tmp_path, text, HOUSE_KEY="k") == {"house", "aws"}
