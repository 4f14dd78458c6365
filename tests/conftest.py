"""Fixtures that tests of several packages share, and the option that forbids skipping."""

import io
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from megallm import telemetry
from megallm.local import weights

# How long an example takes says how busy the machine is, in continuous integration and elsewhere.
settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """A shell starts what it runs in the background deaf to interrupts, and so would be the programs that we start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The file of the tiny model; the first run fetches it into the user's cache."""
    return weights.pull("tiny", weights.default_folder(os.environ))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as the program would write it: one JSON object a line."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    telemetry.configure(stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)


@pytest.hookimpl(trylast=True)  # hypothesis adds its marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What only chance reaches does not count as covered: the next run may not reach it."""
    for item in items:
        if item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run: nothing may be missing")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("--no-skips"):
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} skipped, and --no-skips allows none", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
