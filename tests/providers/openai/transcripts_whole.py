"""The whole completion that a streamed one would have been, put together without the code under test."""

import json
from typing import Any

Json = dict[str, Any]  # Any: JSON of an upstream


def chunks_of(body: bytes) -> list[Json]:
    """The chunks of a stream; one data line each, as all these servers write them."""
    lines = body.decode().replace("\r\n", "\n").split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


def whole(body: bytes) -> bytes:
    """The same reply as a completion: texts joined, arguments joined by call, the last usage and finish_reason."""
    choice: Json = {"index": 0, "message": {"role": "assistant", "content": None}}
    completion: Json = {"object": "chat.completion", "choices": [choice]}
    message = choice["message"]
    for chunk in chunks_of(body):
        completion.update(
            {name: chunk[name] for name in ("usage", "timings", "x_groq", "__verbose") if chunk.get(name)}
        )
        for part in chunk["choices"]:
            _join(message, part["delta"])
            choice.update({name: part[name] for name in part if name != "delta" and part[name]})
    return json.dumps(completion).encode()


def _join(message: Json, delta: Json) -> None:
    for name in ("content", "reasoning_content", "reasoning", "reasoning_details", "refusal"):
        if value := delta.get(name):
            before = message.get(name)
            if isinstance(before, list) and isinstance(value, str):
                value = [{"type": "text", "text": value}]
            message[name] = value if not before else before + value
    for call in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", [])
        function = call["function"]
        if function.get("name") and not (calls and _repeats(calls[-1], call)):
            calls.append({**call, "function": {"arguments": "", **function}})
        else:
            calls[-1]["function"]["arguments"] += function["arguments"]
    if function := delta.get("function_call"):
        before = message.setdefault("function_call", {"arguments": ""})
        message["function_call"] = {**before, **function, "arguments": before["arguments"] + function["arguments"]}


def _repeats(last: Json, call: Json) -> bool:
    """Whether it is the last call again, whose server repeats the name but has no ids."""
    return "id" not in call and last["function"]["name"] == call["function"]["name"]
