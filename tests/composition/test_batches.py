"""How the batches are put together: what settings they need, when their clients are made, what each owner may use."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from megallm.composition import compose
from megallm.composition.batch_ports import batch_ports
from megallm.composition.batches import Owners, compose_batches
from megallm.composition.late import late
from megallm.keys import Limits
from megallm.limits.tiers import load
from megallm.settings import BrokenSettings, Settings
from megallm.stores.aws import AwsTarget
from tests.fakes import KEY_RECORD, MemoryKeys

AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")
QUEUES: dict[str, Any] = {f"{role}_queue_url": f"https://sqs.test/{role}" for role in ("intake", "work", "finish")}
NOW = 1_800_000_000.0
TIERS = load()


def owners(*records: Any, tokens_per_minute: int | None = None) -> Owners:
    return Owners(MemoryKeys(*records), TIERS, tokens_per_minute, clock=lambda: NOW)


def test_without_a_bucket_there_are_no_batches() -> None:
    """A gateway may do without them; the batch functions say what they miss."""
    assert compose(Settings(catalog="aws"), AWS).batches is None
    with pytest.raises(BrokenSettings, match="MEGALLM_BATCHES_BUCKET"):
        compose_batches(Settings(catalog="aws"), AWS)


def test_a_bucket_without_its_queues_is_told_at_start() -> None:
    """Each queue that is missing is named."""
    settings = Settings(batches_bucket="b", work_queue_url="w")

    with pytest.raises(BrokenSettings) as caught:
        batch_ports(settings, AWS)

    assert str(caught.value) == (
        "MEGALLM_INTAKE_QUEUE_URL, MEGALLM_FINISH_QUEUE_URL: needed where MEGALLM_BATCHES_BUCKET is set"
    )


def test_the_functions_have_the_gateways_own_ports() -> None:
    """So that whoever replaces them, as the local stack does, replaces them for all."""
    settings = Settings(catalog="aws", batches_bucket="b", **QUEUES)
    gateway = compose(settings, AWS)

    work = compose_batches(settings, AWS, gateway)

    assert work.gateway is gateway
    assert work.ports is gateway.batches
    assert work.ports.bucket == "b"
    assert work.rules.catalog is gateway.catalog


LOADED = """
import sys
from megallm.composition import compose
from megallm.settings import Settings
from megallm.stores.aws import AwsTarget

urls = {f"{role}_queue_url": "q" for role in ("intake", "work", "finish")}
aws = AwsTarget(region="us-east-1", access_key_id="a", secret_access_key="b")
assert compose(Settings(catalog="aws", batches_bucket="b", **urls), aws).batches is not None
stores = {f"megallm.stores.{name}" for name in ("batches", "objects", "queues", "events")}
print([name for name in sys.modules if name in stores])
"""
WEB = """
import sys
import functions.batch_intake.entry, functions.batch_worker.entry, functions.batch_finisher.entry
print([name for name in sys.modules if name.partition(".")[0] in {"fastapi", "mangum", "starlette", "uvicorn"}])
"""


@pytest.mark.slow
@pytest.mark.parametrize("program", [LOADED, WEB])
def test_nobody_loads_what_it_does_not_use(program: str) -> None:
    """The API's cold start loads no store of the batches, and the batch functions no web framework."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_what_is_late_is_made_once_and_only_when_it_is_used() -> None:
    """Also where it is used often."""
    made: list[str] = []

    def make() -> str:
        made.append("made")
        return "text"

    thing = late(make)
    before = list(made)

    assert (before, thing.upper(), thing.upper(), thing.title(), made) == ([], "TEXT", "TEXT", "Text", ["made"])


def test_only_a_key_that_may_be_used_is_known_as_an_owner() -> None:
    """What was dropped for one that was revoked since is refused."""
    revoked = replace(KEY_RECORD, id="revoked1", revoked_at=5)
    expired = replace(KEY_RECORD, id="expired1", expires_at=int(NOW) - 1)
    known = owners(KEY_RECORD, revoked, expired)
    asked = ("abcdefgh", "revoked1", "expired1", "nobody12")

    assert [known.is_known(owner) for owner in asked] == [True, False, False, False]
    assert [known.standing(owner) for owner in asked] == ["active", "revoked", "expired", None]


def test_an_owners_batches_have_what_its_tier_has() -> None:
    """Or the numbers of the key's own; the operator has no limit."""
    own = replace(KEY_RECORD, id="enterpr1", tier="enterprise", limits=Limits(1, 7_000, 1))
    some = owners(KEY_RECORD, own)

    assert [some.tokens_a_minute(owner) for owner in ("abcdefgh", "enterpr1", "operator", "deleted1")] == [
        100_000,
        7_000,
        None,
        100_000,
    ]


def test_the_setting_holds_for_every_owner() -> None:
    """The operator's own batches as well."""
    some = owners(KEY_RECORD, tokens_per_minute=5_000)

    assert [some.tokens_a_minute(owner) for owner in ("abcdefgh", "operator")] == [5_000, 5_000]
