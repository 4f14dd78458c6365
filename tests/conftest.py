"""Fixtures that tests of several packages share, and the option that forbids skipping."""

import os
from pathlib import Path

import pytest

from megallm.local import weights


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The file of the tiny model; the first run fetches it into the user's cache."""
    return weights.pull("tiny", weights.default_folder(os.environ))


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
