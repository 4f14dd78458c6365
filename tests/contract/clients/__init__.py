"""The official SDKs as clients of the contract tests: four generations, each a driver process, one interface."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.contract.js import install

Json = Any  # what goes over the wire, compared whole in the tests

ANSWER_SECONDS = 120.0
ROOT = Path(__file__).resolve().parents[3]
OLD_PYTHON = "MEGALLM_TEST_OLD_SDK_PYTHON"  # the interpreter of the environment that holds the older Python SDK

_HERE = Path(__file__).resolve().parent
_MODULES = Path(install.__file__).parent / "node_modules"


@dataclass(frozen=True, slots=True)
class Generation:
    """One SDK: what speaks it, and which dialect of the API it speaks."""

    name: str
    language: Literal["python", "node"]
    api_version: Literal["2023-06-01", "2026-10-21"]
    version: str


GENERATIONS = (
    Generation("python-2.12", "python", "2026-10-21", "2.12."),
    Generation("python-0.116", "python", "2023-06-01", "0.116."),
    Generation("node-1.12", "node", "2026-10-21", "1.12."),
    Generation("node-0.x", "node", "2023-06-01", "0."),
)


class SdkError(Exception):
    """What the SDK raised, in the words of the driver."""

    def __init__(self, told: Mapping[str, Json]) -> None:
        super().__init__(f"{told['class']}: {told['status']} {told['type']} {told['message']}")
        self.name: str = told["class"]
        self.classes: list[str] = told["classes"]
        self.status: int | None = told["status"]
        self.type: str | None = told["type"]
        self.message: str = told["message"]
        self.error_code: str | None = told["error_code"]
        self.request_id: str | None = told["request_id"]
        self.body: Json = told["body"]


class Driver:
    """A driver process. Commands are answered in their order."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._last_id = 0
        # A key of the machine's user must not reach the tests.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
        self._process = subprocess.Popen(
            _command(generation),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._read, daemon=True).start()
        ready = self._answer()
        assert ready["ready"].startswith(generation.version), f"{generation.name} is {ready['ready']}"

    def ask(self, **command: Json) -> Json:
        """Sends one command and waits for its answer. Raises SdkError."""
        self._last_id += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": self._last_id, **command}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert answer["id"] == self._last_id
        if "error" in answer:
            raise SdkError(answer["error"])
        return answer["result"]

    def stop(self) -> None:
        """Ends the process, which ends by itself when its input does."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(ANSWER_SECONDS)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _answer(self) -> Json:
        line = self._answers.get(timeout=ANSWER_SECONDS)
        assert line, f"the driver of {self.generation.name} has ended"
        return json.loads(line)


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream that is read one event at a time."""

    driver: Driver
    handle: int

    def next(self) -> Json:
        """The next event, or None at the end."""
        return self.driver.ask(op="next", handle=self.handle)

    def close(self) -> None:
        """Goes away, whether or not the stream has ended."""
        self.driver.ask(op="close", handle=self.handle)


@dataclass(frozen=True, slots=True)
class Sdk:
    """An SDK client with its options, as a user makes one. *headers* that are None are left out by the SDK."""

    driver: Driver
    base_url: str
    api_key: str | None = None
    auth_token: str | None = None
    max_retries: int = 0
    headers: Mapping[str, str | None] = field(default_factory=dict)
    timeout_seconds: float = 60.0

    def create(self, **params: Json) -> Json:
        """``messages.create``."""
        return self._ask("create", params)

    def exchange(self, **params: Json) -> Json:
        """``messages.create`` with the raw response: ``{"headers", "body"}``."""
        return self._ask("exchange", params)

    def events(self, **params: Json) -> list[Json]:
        """``messages.create(stream=True)``, all events."""
        events: list[Json] = self._ask("events", params)
        return events

    def final(self, **params: Json) -> Json:
        """``messages.stream``, the message that the SDK folds from it."""
        return self._ask("final", params)

    def open(self, **params: Json) -> OpenStream:
        """``messages.create(stream=True)``, to be read step by step."""
        return OpenStream(self.driver, self._ask("open", params))

    def begin(self, **params: Json) -> Callable[[], str]:
        """Sends ``messages.create``; what is returned aborts it and tells how it ended."""
        handle = self._ask("begin", params)
        return lambda: str(self.driver.ask(op="abort", handle=handle))

    def count_tokens(self, **params: Json) -> Json:
        """``messages.count_tokens``."""
        return self._ask("count_tokens", params)

    def models(self, **params: Json) -> list[Json]:
        """``models.list``, following the pages."""
        models: list[Json] = self._ask("models", params)
        return models

    def model(self, model_id: str) -> Json:
        """``models.retrieve``."""
        return self._ask("model", {"model_id": model_id})

    def call(self, path: str, *arguments: Json, **named: Json) -> None:
        """Any other method, by its Python name."""
        self.driver.ask(op="call", client=self._options(), path=path, arguments=arguments, named=named)

    def fetch(self, path: str, *arguments: Json, **named: Json) -> Json:
        """Any method that gives one object, by its Python name: the object."""
        return self.driver.ask(op="fetch", client=self._options(), path=path, arguments=arguments, named=named)

    def fetch_all(self, path: str, *arguments: Json, **named: Json) -> list[Json]:
        """Any method that gives many, page by page or line by line: all of them."""
        found: list[Json] = self.driver.ask(
            op="fetch_all", client=self._options(), path=path, arguments=arguments, named=named
        )
        return found

    def run_tools(self, *, answer: str, **params: Json) -> Json:
        """The beta tool runner with a ``get_weather`` tool: ``{"called": [locations], "message"}``."""
        return self.driver.ask(op="run_tools", client=self._options(), params=params, answer=answer)

    def _ask(self, operation: str, params: Mapping[str, Json]) -> Json:
        return self.driver.ask(op=operation, client=self._options(), params=params)

    def _options(self) -> Json:
        return {
            "base_url": self.base_url,
            "api_key": self.api_key,
            "auth_token": self.auth_token,
            "max_retries": self.max_retries,
            "headers": dict(self.headers),
            "timeout_seconds": self.timeout_seconds,
        }


def _command(generation: Generation) -> list[str]:
    """How its driver is started; skips the test where this machine has not got it."""
    if generation.language == "node":
        if not install.installed():
            pytest.skip("The JavaScript SDKs are not installed: python tests/contract/js/install.py")
        wheel = install.wheel()
        node = str(install.node_of(wheel)) if wheel is not None else shutil.which("node")
        if node is None:
            pytest.skip("There is no Node on this machine")
        copy = "@anthropic-ai/sdk" if generation.name == "node-1.12" else "anthropic-old"
        return [node, str(_HERE / "node_driver.mjs"), str(_MODULES / copy)]
    python = Path(sys.executable)
    if generation.name == "python-0.116":
        python = Path(os.environ.get(OLD_PYTHON, ROOT / ".venv-sdk-old" / "bin" / "python"))
        if not python.exists():
            pytest.skip(f"The older Python SDK has no environment at {python}: `make test` makes it")
    return [str(python), str(_HERE / "python_driver.py")]
