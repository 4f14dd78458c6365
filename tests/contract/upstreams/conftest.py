"""One upstream and one gateway for all tests of a module: each test tells the upstream what to play."""

from collections.abc import Iterator

import pytest

from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.dialects import DIALECTS
from tests.contract.upstreams.listener import Listener, refusing_port
from tests.contract.upstreams.staging import AWS_ENVIRON, Stage, catalogue, stage


@pytest.fixture(scope="module")
def upstream() -> Iterator[Listener]:
    """The upstream of all dialects."""
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def credentials() -> Iterator[None]:
    """What AWS's chain finds first, so that it looks nowhere else."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS_ENVIRON.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def gateway(upstream: Listener, credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway that tries each call once."""
    with refusing_port() as closed:
        closed_url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        text = catalogue(upstream.url, closed_url=closed_url)
        with stage(text, tmp_path_factory.mktemp("gateway")) as running:
            yield running


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each dialect in turn."""
    spoken: Dialect = request.param
    return spoken


@pytest.fixture(params=["plain", "stream"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both ways to ask."""
    return str(request.param)
