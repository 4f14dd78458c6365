"""A marked prompt and a marked key never show in what the server logs, prints or answers, whatever fails."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.samples import HELLO
from tests.fakes import KEY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

PROMPT = "canary-prompt-5f1d"
WRONG_KEY = "mega_canaryK1_" + "c" * 43
SECRETS = (PROMPT, WRONG_KEY, "c" * 43, KEY, "s" * 43)

FAILURES = ["crash", "chained crash", "group", "refused"]
FAILURES_IN_A_STREAM = ["crash in the stream", "refused in the stream"]


class Canaries:
    """The server process, and everything that it let out."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "PYTHONDEVMODE": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared")]),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.canary_server"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"

    def post(self, path: str = "/v1/messages", *, key: str = KEY, **content: Any) -> httpx.Response:  # Any: httpx's
        """One request."""
        return httpx.post(
            self.url + path, headers={"x-api-key": key, "content-type": "application/json"}, **content, timeout=60
        )

    def stop(self) -> tuple[str, str]:
        """Standard output after the port, and standard error."""
        out, err = self._process.communicate(timeout=180)
        assert self._process.returncode == 0, err
        return out, err


@pytest.fixture
def server() -> Iterator[Canaries]:
    canaries = Canaries()
    yield canaries
    if canaries._process.poll() is None:
        canaries.stop()


def marked(**fields: Any) -> dict[str, Any]:  # Any: a request of any shape
    return {**HELLO, "messages": [{"role": "user", "content": PROMPT}], **fields}


def provoke(server: Canaries) -> list[httpx.Response]:
    """Every kind of failure, with the marks in all places where a client can put them."""
    everywhere = {PROMPT: PROMPT, "type": PROMPT, "text": 7}
    answers = [server.post(json=marked(metadata={"user_id": failure})) for failure in FAILURES]
    answers += [
        server.post(json=marked(stream=True, metadata={"user_id": failure}))
        for failure in FAILURES + FAILURES_IN_A_STREAM
    ]
    answers += [
        server.post(json=marked(), key=WRONG_KEY),
        server.post(json=marked(max_tokens=PROMPT)),
        server.post(json=marked(temperature=PROMPT)),
        server.post(json=marked(tools=[everywhere])),
        server.post(json=marked(tool_choice=everywhere)),
        server.post(json=marked(messages=[{"role": PROMPT, "content": PROMPT}])),
        server.post(json=marked(messages=[{"role": "user", "content": [everywhere]}])),
        server.post(json=marked(system=[everywhere])),
        server.post(json=marked(thread={"type": PROMPT})),
        server.post(content=json.dumps(marked()).encode()[:-3]),
        server.post(content=f'{{"{PROMPT}": {PROMPT}}}'.encode()),
        server.post(content=json.dumps(marked()).encode() + b"\xff"),
        server.post(f"/v1/{WRONG_KEY}/{PROMPT}", json=marked()),
        server.post(f"/v1/messages/{KEY}?key={KEY}&prompt={PROMPT}", json=marked()),
        server.post(f"/{KEY}", json=marked(), key=WRONG_KEY),
        httpx.get(f"{server.url}/v1/models?after_id={KEY}", headers={"x-api-key": KEY}, timeout=60),
        httpx.get(f"{server.url}/v1/models?limit={WRONG_KEY}", headers={"x-api-key": KEY}, timeout=60),
        httpx.put(f"{server.url}/v1/messages?{KEY}", headers={"x-api-key": KEY}, json=marked(), timeout=60),
        httpx.post(
            server.url + "/v1/messages", headers={"authorization": f"Basic {WRONG_KEY}"}, json=marked(), timeout=60
        ),
        httpx.post(
            server.url + "/v1/messages", headers={"authorization": f"Bearer {WRONG_KEY}"}, json=marked(), timeout=60
        ),
        httpx.post(
            server.url + "/v1/messages", headers={"x-api-key": KEY, "content-type": KEY}, json=marked(), timeout=60
        ),
    ]
    return answers


def test_what_a_caller_wrote_shows_nowhere(server: Canaries) -> None:
    """Habit 18: no log line, no answer, no traceback holds the prompt or a key, whatever went wrong."""
    answers = provoke(server)

    out, err = server.stop()

    bodies = [answer.text for answer in answers]
    found = [(secret, text) for secret in SECRETS for text in [*bodies, out, err] if secret in text]
    assert found == []
    assert "Traceback" not in out + err


def test_each_request_leaves_one_line_that_finds_it(server: Canaries) -> None:
    """Also: structured logs, one JSON object a line, with the request id of each answer, in order."""
    answers = provoke(server)

    lines = [json.loads(line) for line in server.stop()[0].splitlines()]

    logged = [(line["request_id"], line["status"]) for line in lines if line["event"] == "request"]
    assert logged == [(answer.headers["request-id"], answer.status_code) for answer in answers]


def test_a_crash_leaves_its_place_but_not_its_text(server: Canaries) -> None:
    """Also: the log of a crash tells types and places, the cause included."""
    server.post(json=marked(metadata={"user_id": "chained crash"}))

    lines = [json.loads(line) for line in server.stop()[0].splitlines()]

    crash = next(line for line in lines if line["event"] == "crash")
    assert [error["type"] for error in crash["error"]] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert "tests/fakes.py" in crash["error"][0]["at"][-1]
