"""The bundle for this machine's processor, built once for all tests that look into it, and unpacked."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.bundle.build import build
from infra.bundle.files import Bundle
from infra.options import Options
from tests.infra.bundle.unpacked import Unpacked, copy_sources, native_architecture, unpack


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    """The code that was copied, and what was made of it: once, however many processes xdist has for the tests."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "bundle-for-all"
    folder.mkdir(exist_ok=True)
    with _alone_in(folder):
        sources = folder / "sources"
        if not sources.is_dir():
            copy_sources(sources)
        return sources, build(Options(architecture=native_architecture()), folder / "out", sources)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """The folder itself is the lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@pytest.fixture(scope="session")
def sources(built: tuple[Path, Bundle]) -> Path:
    """The code as it is now: whoever edits it while these tests run does not change what they compare."""
    return built[0]


@pytest.fixture(scope="session")
def bundle(built: tuple[Path, Bundle]) -> Bundle:
    return built[1]


@pytest.fixture(scope="session")
def unpacked(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    """As Lambda lays it out. No test writes there."""
    return unpack(bundle, tmp_path_factory.mktemp("var"))
