"""Credentials of the tests' own: nothing of the machine's may be found or asked."""

from pathlib import Path

import pytest

from .fake_bedrock import KEY_ID, SECRET

_OURS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_DEFAULT_REGION")


@pytest.fixture(autouse=True)
def aws_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with one pair of keys; the folder of its configuration."""
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return tmp_path
