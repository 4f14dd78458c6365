"""Fixtures that tests of several packages share."""

import os
from pathlib import Path

import pytest

from megallm.local import weights


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The file of the tiny model; the first run fetches it into the user's cache."""
    return weights.pull("tiny", weights.default_folder(os.environ))
