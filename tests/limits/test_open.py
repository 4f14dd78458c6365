"""The limiter as the composition opens it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from megallm.composition import compose
from megallm.errors import RateLimited
from megallm.keys import Caller
from megallm.local import aws
from megallm.local.isolation import local_target
from megallm.settings import BrokenSettings, Settings
from megallm.stores.aws import AwsTarget

SETTINGS = Settings(catalog="aws", limits_table="limits-here")
AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")


def test_the_composed_gateway_limits_over_its_table() -> None:
    """In the local AWS, with the numbers of the tiers."""
    local_aws = aws.start()
    local_aws.create_resources(keys_table="keys", limits_table="limits-here")
    gateway = compose(SETTINGS, local_target(local_aws.endpoint_url), {})

    async def work() -> None:
        admissions = [await gateway.limiter.admit(Caller("abcdefgh", "basic"), 10) for _ in range(10)]
        with pytest.raises(RateLimited, match="10 requests under way"):
            await gateway.limiter.admit(Caller("abcdefgh", "basic"), 10)
        for admission in admissions:
            pending = admission.settle(None)
            assert pending is not None
            await pending
        await gateway.aclose()

    asyncio.run(work())
    local_aws.stop()


def test_broken_tiers_are_told_at_start(tmp_path: Path) -> None:
    """With the variable's name."""
    with pytest.raises(BrokenSettings, match=r"MEGALLM_TIERS: .*nonesuch\.toml"):
        compose(SETTINGS.model_copy(update={"tiers": tmp_path / "nonesuch.toml"}), AWS, {})


@pytest.mark.slow
def test_a_cold_start_does_not_wait_for_what_the_first_request_opens() -> None:
    """Of the limiter only its numbers are loaded before."""
    script = (
        "import sys, megallm.composition; sys.exit(any(n in sys.modules for n in ('aiohttp', 'megallm.stores.limits')))"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
