"""Features of the catalogue's tables, checked when the gateway is put together."""

from pathlib import Path

import pytest

from megallm.catalog.file_format import SHIPPED, BrokenCatalog, load
from megallm.composition import compose
from megallm.composition.catalogue import load_catalog
from megallm.settings import Settings

MODEL = '[[models]]\nid = "a"\ndisplay_name = "A"\n'
HOUSE = '[providers.house]\nkind = "{kind}"\n'


def house(features: str, kind: str = "openai", route: str = "") -> str:
    """A catalogue with one provider, whose features begin on line 7."""
    routes = f'routes = [{{ provider = "house", model = "m"{route} }}]\n'
    return f"{MODEL}{routes}{HOUSE.format(kind=kind)}takes.features = {{ {features} }}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            house('prefil = "trailing"'),
            ", line 7: providers.house.takes.features.prefil: Extra inputs are not permitted",
        ),
        (house('prefill = "trailling"'), ", line 7: providers.house.takes.features.prefill: Input should be '', "),
        (house('efforts = " "'), ", line 7: providers.house.takes.features.efforts: Value error, known are none "),
        (house("max_stop_sequences = -1"), "features.max_stop_sequences: Input should be greater than or equal to 0"),
        (
            house("", route=', takes = { features = { stream_usage = "no" } }'),
            ", line 4: models.0.routes.0.takes.features.stream_usage: Input should be a valid boolean",
        ),
        (
            house("prefil = true", "anthropic"),
            "features.prefil: a provider of the kind anthropic reads no such feature",
        ),
        (house('prefill = "trailing"', "anthropic"), "features.prefill: it must be true or false"),
        (house("api = 1", "bedrock"), "features.api: it must be a text"),
        (
            house('api = "convers"', "bedrock"),
            ', line 7: providers.house.takes.features.api: it must be "invoke" or "converse"',
        ),
        (house('api = ""', "bedrock"), 'features.api: it must be "invoke" or "converse"'),
        (
            house('anthropic_version = "newest"', "anthropic"),
            ", line 7: providers.house.takes.features.anthropic_version: it must be a date such as 2023-06-01",
        ),
        (house("prefill = true", "embedded"), "features.prefill: a provider of the kind embedded reads no such"),
        (
            house("", "anthropic", ', table = "vllm"'),
            ", line 4: models.0.routes.0.table: its feature system_role: a provider of the kind anthropic reads no",
        ),
        (
            MODEL + 'routes = [{ provider = "house", model = "m" }]\n' + HOUSE.format(kind="bedrock")
            + 'table = "anthropic"\n',
            ", line 7: providers.house.table: its feature anthropic_version: a provider of the kind bedrock reads no",
        ),
    ],
)  # fmt: skip
def test_a_feature_that_its_provider_cannot_read_is_refused_at_start(tmp_path: Path, text: str, told: str) -> None:
    """With the file, the line, the provider and the reason; at a request it would be too late."""
    file = tmp_path / "models.toml"
    file.write_text(text)

    with pytest.raises(BrokenCatalog) as caught:
        compose(Settings(catalog=str(file)), environ={})

    assert str(caught.value).startswith(str(file))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "features"),
    [
        ("openai", 'prefill = "trailing", efforts = "low high", max_stop_sequences = 0'),
        ("anthropic", 'prefill = true, anthropic_version = "2026-10-21"'),
        ("bedrock", 'api = "converse", native_signatures = true'),
    ],
)
def test_features_that_can_be_read_are_taken(tmp_path: Path, kind: str, features: str) -> None:
    """Each kind of provider has its own."""
    file = tmp_path / "models.toml"
    file.write_text(house(features, kind))

    assert set(load_catalog(str(file)).upstreams) == {"house"}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_catalogues_that_ship_can_be_read(name: str) -> None:
    """Before anybody starts with one."""
    assert load_catalog(name).models == load(name).models
