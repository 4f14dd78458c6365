"""The providers of every kind, made once a module: each makes its connections and reads its credentials once."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.contract.upstreams.staging import AWS_ENVIRON
from tests.properties.upstreams import Bench


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """All kinds of upstreams, none of which is called over a network."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        for name, value in AWS_ENVIRON.items():
            patch.setenv(name, value)
        yield Bench(runner)
