"""`make run` with a catalogue of one's own: another server answers, and no model file is needed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.local.running import PATIENCE_SECONDS, running_stack

pytestmark = pytest.mark.slow

CATALOGUE = """
[providers.house]
kind = "openai"
base_url = "{base_url}/v1"
api_key = "env:HOUSE_KEY"
table = "vllm"

[[models]]
id = "claude-sonnet-4"
display_name = "Sonnet, at home"
context_tokens = 32768
routes = [{{ provider = "house", model = "qwen3" }}]
"""


class House:
    """A chat-completions server that thinks before it answers, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, dict[str, object]]] = []

    @contextmanager
    def serving(self) -> Iterator[str]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                asked.append((self.headers["authorization"], json.loads(body)))
                message = {"role": "assistant", "reasoning_content": "Paris is in France.", "content": "Paris."}
                answer = {
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 9, "completion_tokens": 6},
                }
                text = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def test_another_server_answers_under_the_same_address_and_its_thinking_survives_a_restart(tmp_path: Path) -> None:
    """C15: the signature of the first run is believed in the second, so the thinking goes back to its server."""
    house = House()
    messages: list[dict[str, object]] = [{"role": "user", "content": "Capital of France?"}]
    with house.serving() as base_url:
        file = tmp_path / "catalogue.toml"
        file.write_text(CATALOGUE.format(base_url=base_url))
        environ = {"MEGALLM_CATALOG": str(file), "HOUSE_KEY": "k-1"}
        for _ in range(2):
            with running_stack(tmp_path, environ=environ) as stack:
                state = stack.state()
                answer = httpx.post(
                    f"{state.base_url}/v1/messages",
                    headers={"x-api-key": state.api_key},
                    json={"model": "claude-sonnet-4", "max_tokens": 50, "messages": messages},
                    timeout=PATIENCE_SECONDS,
                )
                body = answer.json()
                stack.stop()
            messages += [{"role": "assistant", "content": body["content"]}, {"role": "user", "content": "Sure?"}]

    thinking, text = body["content"]
    assert (thinking["type"], text) == ("thinking", {"type": "text", "text": "Paris."})
    assert answer.headers["megallm-route"] == "house/qwen3"
    assert "megallm-adapted" not in answer.headers
    key, second = house.asked[1]
    assert key == "Bearer k-1"
    assert second["model"] == "qwen3"
    history = second["messages"]
    assert isinstance(history, list)
    assert history[1]["content"] == "Paris."
    assert "Paris is in France." in history[1].values()
