"""The official Python SDK as a process: commands as JSON lines on stdin, answers as JSON lines on stdout.

Runs under any interpreter that has ``anthropic``, so it imports nothing of this project. Whole calls go through the
synchronous client; a call that may be aborted goes through the asynchronous one, since only that can be.
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

import anthropic
from anthropic import Anthropic, AsyncAnthropic, Omit, beta_tool

Json = Any  # what the SDK gives and takes differs between its generations


class Driver:
    """The state between commands: streams that are read step by step, and calls under way."""

    def __init__(self) -> None:
        self._streams: dict[int, tuple[Anthropic, Any, Iterator[Any]]] = {}
        self._calls: dict[int, tuple[AsyncAnthropic, asyncio.Task[Json]]] = {}

    async def run(self, command: Json) -> Json:
        """The answer to one command; raises what the SDK raises."""
        operation = command["op"]
        if operation == "begin":
            return self._begin(command)
        if operation == "abort":
            return await self._abort(command["handle"])
        return await asyncio.to_thread(getattr(self, f"_{operation}"), command)

    def _begin(self, command: Json) -> Json:
        client = AsyncAnthropic(**_options(command["client"]))
        call = client.messages.create(**_arguments(client.messages.create, command["params"]))
        handle = command["id"]
        self._calls[handle] = (client, asyncio.get_running_loop().create_task(call))
        return handle

    async def _abort(self, handle: int) -> Json:
        client, task = self._calls.pop(handle)
        task.cancel()
        await asyncio.wait([task])
        await client.close()
        return "aborted" if task.cancelled() else "finished"

    def _create(self, command: Json) -> Json:
        with _client(command) as client:
            return client.messages.create(**_arguments(client.messages.create, command["params"])).to_dict(mode="json")

    def _exchange(self, command: Json) -> Json:
        with _client(command) as client:
            raw = client.messages.with_raw_response.create(**_arguments(client.messages.create, command["params"]))
            return {"headers": dict(raw.headers), "body": json.loads(raw.http_response.read())}

    def _events(self, command: Json) -> Json:
        with _client(command) as client:
            arguments = _arguments(client.messages.create, command["params"])
            with client.messages.create(**arguments, stream=True) as stream:
                return [event.to_dict(mode="json") for event in stream]

    def _final(self, command: Json) -> Json:
        with _client(command) as client:
            arguments = _arguments(client.messages.stream, command["params"])
            with client.messages.stream(**arguments) as stream:
                return stream.get_final_message().to_dict(mode="json")

    def _open(self, command: Json) -> Json:
        client = _client(command)
        stream = client.messages.create(**_arguments(client.messages.create, command["params"]), stream=True)
        self._streams[command["id"]] = (client, stream, iter(stream))
        return command["id"]

    def _next(self, command: Json) -> Json:
        event = next(self._streams[command["handle"]][2], None)
        return event and event.to_dict(mode="json")

    def _close(self, command: Json) -> Json:
        client, stream, _ = self._streams.pop(command["handle"])
        stream.close()
        client.close()
        return None

    def _count_tokens(self, command: Json) -> Json:
        with _client(command) as client:
            arguments = _arguments(client.messages.count_tokens, command["params"])
            return client.messages.count_tokens(**arguments).to_dict(mode="json")

    def _models(self, command: Json) -> Json:
        with _client(command) as client:
            return [model.to_dict(mode="json") for model in client.models.list(**command["params"])]

    def _model(self, command: Json) -> Json:
        with _client(command) as client:
            return client.models.retrieve(command["params"]["model_id"]).to_dict(mode="json")

    def _call(self, command: Json) -> Json:
        with _client(command) as client:
            _called(client, command)
            return None

    def _fetch(self, command: Json) -> Json:
        with _client(command) as client:
            return _called(client, command).to_dict(mode="json")

    def _fetch_all(self, command: Json) -> Json:
        with _client(command) as client:
            return [each.to_dict(mode="json") for each in _called(client, command)]

    def _run_tools(self, command: Json) -> Json:
        called = []

        @beta_tool
        def get_weather(location: str) -> str:
            """Get weather for a location.

            Args:
                location: City name
            """
            called.append(location)
            return str(command["answer"])

        with _client(command) as client:
            runner = client.beta.messages.tool_runner(**command["params"], tools=[get_weather])
            last = runner.until_done()
        return {"called": called, "message": last.to_dict(mode="json")}


def _called(client: Anthropic, command: Json) -> Any:  # Any: what the method gives
    method = reduce(getattr, command["path"].split("."), client)
    return method(*command["arguments"], **command["named"])  # type: ignore[operator]  # chosen by name


def _client(command: Json) -> Anthropic:
    return Anthropic(**_options(command["client"]))


def _options(options: Json) -> dict[str, Any]:
    headers = {name: Omit() if value is None else value for name, value in options["headers"].items()}
    return {
        "base_url": options["base_url"],
        "api_key": options["api_key"],
        "auth_token": options["auth_token"],
        "max_retries": options["max_retries"],
        "timeout": options["timeout_seconds"],
        "default_headers": headers,
    }


def _arguments(method: Callable[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What the method does not know goes into ``extra_body``, as a user of this SDK would have to send it."""
    known = inspect.signature(method).parameters
    extra = {name: value for name, value in params.items() if name not in known}
    arguments = {name: value for name, value in params.items() if name in known}
    return {**arguments, "extra_body": extra} if extra else arguments


def _error(error: BaseException) -> Json:
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, dict) else None
    details = (inner.get("details") if isinstance(inner, dict) else None) or {}
    return {
        "class": type(error).__name__,
        "classes": [each.__name__ for each in type(error).__mro__],
        "status": getattr(error, "status_code", None),
        "type": getattr(error, "type", None),
        "message": inner.get("message") if isinstance(inner, dict) else str(error),
        "error_code": details.get("error_code"),
        "request_id": getattr(error, "request_id", None),
        "body": body,
    }


async def main() -> None:
    """Answers commands until stdin ends."""
    driver = Driver()
    _say({"ready": anthropic.__version__})
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        try:
            _say({"id": command["id"], "result": await driver.run(command)})
        except Exception as error:  # noqa: BLE001  every error is an answer
            _say({"id": command["id"], "error": _error(error)})


def _say(answer: Json) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
