"""What importing the framework costs a cold start."""

import subprocess
import sys

import pytest

SCRIPT = """
import functions.api.app
from fastapi.openapi.models import OpenAPI
from megallm.messages.requests import MessagesRequest

print(MessagesRequest.__pydantic_complete__, OpenAPI.__pydantic_complete__)
print(OpenAPI(openapi="3.1.0", info={"title": "t", "version": "1"}, paths={}).info.title, OpenAPI.__pydantic_complete__)
"""


@pytest.mark.slow
def test_only_our_own_models_are_built_before_they_are_used() -> None:
    """FastAPI's are of documents that nobody asks it for; asked, they are what they always were."""
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout

    assert told.split() == ["True", "False", "t", "True"]
