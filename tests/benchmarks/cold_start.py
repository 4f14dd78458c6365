"""A fresh interpreter: importing the Lambda handler and answering its first request, against its bare libraries."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.benchmarks.invocation import event, small_body
from tests.benchmarks.measure import Row, ratio
from tests.fakes import KEY_RECORD

ROUNDS = 7

_REFERENCE = """
import time; began = time.process_time()
import fastapi, mangum, boto3
boto3.client("dynamodb")
print(time.process_time() - began)
"""

# With the context given, no provider is made before a request needs it, as in a Lambda.
_CATALOG = """
[[models]]
id = "claude-test"
display_name = "Test"
context_tokens = 200000
routes = [{ provider = "embedded", model = "embedded" }]
"""

# The request goes all the way to the choice of a route: the key is read from DynamoDB, the body validated.
_OURS = """
import sys, time; began = time.process_time()
from functions.api.handler import handler
answer = handler(EVENT, {})
took = time.process_time() - began
assert answer["statusCode"] == 404 and "not_found_error" in answer["body"], answer
print(took)
"""


class _Table(BaseHTTPRequestHandler):
    """A DynamoDB that knows one key."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        item = {
            "id": {"S": KEY_RECORD.id},
            "hash": {"S": KEY_RECORD.hash},
            "name": {"S": KEY_RECORD.name},
            "tier": {"S": KEY_RECORD.tier},
            "created_at": {"N": str(KEY_RECORD.created_at)},
        }
        body = json.dumps({"Item": item}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the overridden method's name for it
        """Silence."""


@contextmanager
def _table() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Table)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def run() -> list[Row]:
    """CPU of import plus first request."""
    first = event({**small_body(), "model": "no-such-model"})
    with _table() as endpoint, tempfile.NamedTemporaryFile("w", suffix=".toml") as catalog:
        catalog.write(_CATALOG)
        catalog.flush()
        environ = {
            **os.environ,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "MEGALLM_CATALOG": catalog.name,
        }
        scripts = {"reference": _REFERENCE, "ours": _OURS.replace("EVENT", repr(first))}
        seconds: dict[str, list[float]] = {name: [] for name in scripts}
        for turn in range(ROUNDS + 1):  # the first turn writes the .pyc files and is not counted
            for name, script in scripts.items():
                took = _run(script, environ)
                if turn:
                    seconds[name].append(took)
    against = ratio(seconds["ours"], seconds["reference"])
    return [
        Row("import fastapi, mangum, boto3 + a DynamoDB client", f"{min(seconds['reference']) * 1e3:.0f} ms"),
        Row(
            "import functions/api/handler.py + first request",
            f"{min(seconds['ours']) * 1e3:.0f} ms = {against:.2f}×",
            "≤ 1.3×",
            against <= 1.3,
        ),
    ]


def _run(script: str, environ: dict[str, str]) -> float:
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env=environ,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr)
    return float(finished.stdout.splitlines()[-1])
