"""The composed gateway: what is refused at start, who signs, and that closing it closes its connections."""

import asyncio
import io
from pathlib import Path

import pytest

from megallm.catalog.file_format import BrokenCatalog
from megallm.catalog.upstreams import OpenAIUpstream
from megallm.composition import compose
from megallm.composition.workshop import Workshop
from megallm.errors import UpstreamMisconfigured
from megallm.messages.signatures import Signer
from megallm.providers.openai.provider import OpenAIProvider
from megallm.settings import Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.secrets import Secrets

AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")
LONG, OTHER = "n" * 16, "o" * 16


def catalogue(folder: Path, text: str) -> Settings:
    file = folder / "catalogue.toml"
    file.write_text(f'{text}[[models]]\nid = "a"\ndisplay_name = "A"\nroutes = [{{ provider = "up", model = "m" }}]\n')
    return Settings(catalog=str(file))


def test_a_key_that_the_environment_lacks_is_told_at_start(tmp_path: Path) -> None:
    """With the place that names it; not with the first request."""
    settings = catalogue(tmp_path, '[providers.up]\nkind = "openai"\napi_key = "env:UP_KEY"\n')

    with pytest.raises(BrokenCatalog) as caught:
        compose(settings, AWS, {})

    told = "line 3: providers.up.api_key: the environment variable UP_KEY is not set"
    assert str(caught.value) == f"{settings.catalog}, {told}"


@pytest.mark.parametrize("kind", ["openai", "anthropic", "bedrock"])
def test_each_kind_of_upstream_is_made_when_first_needed_and_closed_with_the_gateway(tmp_path: Path, kind: str) -> None:
    """A cold start pays for none that its requests do not use."""
    gateway = compose(catalogue(tmp_path, f'[providers.up]\nkind = "{kind}"\n'), AWS, {})
    before = list(gateway.providers)

    made = gateway.providers["up"]

    assert (before, list(gateway.providers), gateway.providers["up"]) == ([], ["up"], made)
    asyncio.run(gateway.aclose())


def signing_with(**environ: str) -> Workshop:
    return Workshop(Settings(signing_secret="env:SIGNING"), Secrets(AWS, environ))


def test_a_new_signing_secret_leaves_what_the_old_one_signed_good() -> None:
    """C15: the second of two values parted by a comma is the one before."""

    async def sign_and_check() -> str | None:
        before = await signing_with(SIGNING=OTHER).signer()
        after = await signing_with(SIGNING=f"{LONG}, {OTHER}").signer()
        return after.route_of(before.sign("up/m", "Hm."), "Hm.")

    assert asyncio.run(sign_and_check()) == "up/m"


@pytest.mark.parametrize("value", ["short", f"short,{LONG}", ","])
def test_a_signing_secret_that_can_be_guessed_is_not_used(value: str, lines: io.StringIO) -> None:
    """Nobody could tell whose thinking it was; the log says what is wrong."""
    with pytest.raises(UpstreamMisconfigured):
        asyncio.run(signing_with(SIGNING=value).signer())

    assert "secret_too_short" in lines.getvalue()


def test_an_empty_secret_behind_a_good_one_accepts_nothing() -> None:
    """A comma too many must not open the door."""

    async def forge() -> str | None:
        signer = await signing_with(SIGNING=f"{LONG},").signer()
        return signer.route_of(Signer([b""]).sign("up/m", "Hm."), "Hm.")

    assert asyncio.run(forge()) is None


def test_an_upstream_without_a_key_needs_none() -> None:
    """A server of one's own may take everyone."""
    provider = Workshop(Settings(), Secrets(AWS, {})).maker("up", OpenAIUpstream(base_url="http://127.0.0.1:1/v1"))()

    assert isinstance(provider, OpenAIProvider)
