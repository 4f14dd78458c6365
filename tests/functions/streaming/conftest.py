"""A deployed function's surroundings: tables with a key, a model's provider, an API Gateway before it."""

from collections.abc import Iterator
from dataclasses import dataclass
from signal import SIGTERM

import pytest

from megallm.local import aws
from megallm.local.isolation import local_target
from megallm.operations.manage_keys import create_key
from megallm.stores.keys import DynamoKeys
from tests.contract.clients import GENERATIONS, Driver, Sdk
from tests.contract.upstreams.listener import Listener
from tests.contract.upstreams.staging import ENVIRON, catalogue
from tests.functions.streaming.api_gateway import ApiGateway
from tests.functions.streaming.running import Lambda, environment, wrapped

KEYS_TABLE, LIMITS_TABLE = "streaming-keys", "streaming-limits"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment of a function over a local AWS and an upstream, and a key that opens it."""

    local_aws: aws.LocalAws
    environ: dict[str, str]
    key: str

    @property
    def leases(self) -> int:
        """How many calls hold a slot."""
        items = local_target(self.local_aws.endpoint_url).dynamodb().scan(TableName=LIMITS_TABLE)["Items"]
        return sum(len(item["lz"]["M"]) for item in items if "lz" in item)


@pytest.fixture(scope="package")
def upstream() -> Iterator[Listener]:
    """What stands behind every model."""
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="package")
def surroundings(upstream: Listener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """Tables of these tests' own."""
    local_aws = aws.start()
    local_aws.create_resources(keys_table=KEYS_TABLE, limits_table=LIMITS_TABLE)
    keys = DynamoKeys(local_target(local_aws.endpoint_url).dynamodb(), KEYS_TABLE)
    key, _ = create_key(keys, name="test", tier="basic", expires_at=None, clock=lambda: 1_800_000_000.0)
    catalog = tmp_path_factory.mktemp("function") / "catalog.toml"
    catalog.write_text(catalogue(upstream.url), encoding="utf-8")
    environ = environment(
        AWS_ENDPOINT_URL=local_aws.endpoint_url,
        MEGALLM_CATALOG=str(catalog),
        MEGALLM_KEYS_TABLE=KEYS_TABLE,
        MEGALLM_LIMITS_TABLE=LIMITS_TABLE,
        **ENVIRON,
    )
    yield Surroundings(local_aws, environ, key)
    local_aws.stop()


@pytest.fixture(scope="package")
def streaming(surroundings: Surroundings) -> Iterator[Lambda]:
    """The function under our runtime, started as Lambda starts it."""
    with Lambda(wrapped(), surroundings.environ) as started:
        yield started
        assert (started.end(SIGTERM), started.errors) == (0, "")


@pytest.fixture(scope="package")
def gateway(streaming: Lambda) -> Iterator[ApiGateway]:
    """The API Gateway before it."""
    front = ApiGateway(streaming.api)
    streaming.wait(front.__aenter__())
    yield front
    streaming.wait(front.__aexit__(None, None, None))


@pytest.fixture(
    scope="package",
    params=[each for each in GENERATIONS if each.api_version == "2026-10-21"],
    ids=lambda each: each.name,
)
def sdk(request: pytest.FixtureRequest, gateway: ApiGateway, surroundings: Surroundings) -> Iterator[Sdk]:
    """The newest SDKs as users make them: with a base URL and a key."""
    driver = Driver(request.param)
    yield Sdk(driver, gateway.url, api_key=surroundings.key)
    driver.stop()
