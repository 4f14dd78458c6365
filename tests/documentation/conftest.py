"""The local stack that the examples talk to, one for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from megallm.local.state import LocalState
from tests.local.running import running_stack


@pytest.fixture(scope="session")
def local_stack(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalState]:
    """`megallm dev` with the tiny model on a free port, in a folder of its own."""
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack.state()
        stack.stop()
