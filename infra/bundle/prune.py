"""What of the packages never runs in Lambda, and so only costs time: there a function's start reads every byte."""

import shutil
from pathlib import Path

from infra.bundle import service_models

_NOTHING_RUNS = ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h")
_NEVER_ASKED = (
    # httpx and what it alone needs: the embedded model's client, which stays on its machine.
    "httpx",
    "httpcore",
    "h11",
    "certifi",
    "bin",
    # The older pydantic inside of the newer one, and its plug-in for a type checker.
    "pydantic/v1",
    "pydantic/mypy.py",
    # aiohttp's server; the gateway uses its client.
    "aiohttp/web*.py",
    "aiohttp/worker.py",
    "aiohttp/test_utils.py",
    "aiohttp/pytest_plugin.py",
    "anyio/_backends/_trio.py",
    "anyio/pytest_plugin.py",
    # boto3 on botocore, which is all that the stores use.
    "boto3",
    "s3transfer",
    "dateutil/zoneinfo/*.tar.gz",
    "multidict/_testcapi*",
    "starlette/testclient.py",
    "fastapi/testclient.py",
)
# What importlib.metadata reads of an installed package.
_METADATA = frozenset({"METADATA", "entry_points.txt"})


def prune(folder: Path) -> None:
    """Removes it from the packages installed in *folder*."""
    for pattern in _NOTHING_RUNS:
        for path in folder.rglob(pattern):
            path.unlink()
    for pattern in _NEVER_ASKED:
        for path in folder.glob(pattern):
            _remove(path)
    service_models.cut_down(folder / "botocore" / "data")
    for metadata in folder.glob("*.dist-info"):
        if metadata.name.partition("-")[0] in _NEVER_ASKED:
            _remove(metadata)
            continue
        for path in metadata.iterdir():
            if path.name not in _METADATA:
                _remove(path)
            elif path.name == "METADATA":
                # Behind the headers is the page that an index shows.
                path.write_bytes(path.read_bytes().partition(b"\n\n")[0] + b"\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
