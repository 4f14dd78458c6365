"""Changes of a native body that go by what a Claude model on Bedrock can do, not by the names of fields alone. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic_core import from_json, to_json

from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import TokenCountRequest, parse
from megallm.providers.bedrock.prefills import GO_ON

_SCHEMA = (
    "Reply with one JSON value and nothing else: no words around it, no code fence. "
    "It has to follow this JSON schema:\n"
)

RequestT = TypeVar("RequestT", bound=TokenCountRequest)

Json = dict[str, Any]  # Any: JSON of the caller's making


def adapted(call: Call[RequestT]) -> tuple[Call[RequestT], tuple[Adaptation, ...]]:
    """The call with a body that its model can take, and what had to change."""
    payload: Json = from_json(call.body)
    work = _Work(call, payload)
    work.tool_choice()
    work.samplers()
    work.output_format()
    if not work.can("system_turns"):
        work.system_turns()
    work.end()
    work.cache_scopes()
    if not work.changed:
        return call, ()
    body = to_json(payload)
    return replace(call, body=body, request=parse(body, type(call.request))), tuple(work.adaptations)


class _Work:
    """One payload, changed in place."""

    def __init__(self, call: Call[RequestT], payload: Json) -> None:
        self._call = call
        self._payload = payload
        self.adaptations: list[Adaptation] = []
        self.changed = False

    def can(self, feature: str) -> bool:
        return self._call.takes.features.get(feature) is True

    def tool_choice(self) -> None:
        """A model that cannot be forced may choose."""
        choice = self._payload.get("tool_choice")
        if choice and choice["type"] in ("any", "tool") and not self.can("forced_tools"):
            parallel = choice.get("disable_parallel_tool_use")
            self._payload["tool_choice"] = {"type": "auto"} | (
                {} if parallel is None else {"disable_parallel_tool_use": parallel}
            )
            self._note("tool_choice", "auto")

    def samplers(self) -> None:
        """Some models take one of the two, and refuse both."""
        if self.can("temperature_or_top_p") and None not in (
            self._payload.get("temperature"),
            self._payload.get("top_p"),
        ):
            del self._payload["top_p"]
            self._note("top_p", "dropped")

    def output_format(self) -> None:
        """A schema for the output: told in words, where the model is not held to it."""
        config = self._payload.get("output_config") or {}
        older = self._payload.pop("output_format", None)
        if older is not None and config.get("format") is not None:
            self._note("output_format", "dropped")
        elif older is not None:
            config = self._payload["output_config"] = {**config, "format": older}
            self.changed = True
        wanted = config.get("format")
        if wanted is None or self._call.takes.fields.find("output_config.format").action != "rewrite":
            return
        self._payload["output_config"] = {name: value for name, value in config.items() if name != "format"}
        told = {"type": "text", "text": _SCHEMA + to_json(wanted["schema"]).decode()}
        self._payload["system"] = [*_blocks(self._payload.get("system") or []), told]
        self._note("output_config.format", "by instruction")

    def system_turns(self) -> None:
        """Turns of the role system: in front they are the system prompt, later a user's words in their place."""
        turns: list[Json] = []
        pending: list[Json] = []
        for at, message in enumerate(self._payload["messages"]):
            if message["role"] == "system":
                blocks = _blocks(message["content"])
                if not turns and not pending and all(block["type"] == "text" for block in blocks):
                    self._payload["system"] = [*_blocks(self._payload.get("system") or []), *blocks]
                    self.changed = True
                else:
                    pending += _marked(blocks)
                    self._note(f"messages.{at}", "user turn")
                continue
            if pending and message["role"] == "user":
                message["content"] = _behind_results(_blocks(message["content"]), pending)
            elif pending:
                turns.append({"role": "user", "content": pending})
            pending = []
            turns.append(message)
        if pending:
            turns.append({"role": "user", "content": pending})
        self._payload["messages"] = turns

    def end(self) -> None:
        """A trailing turn of the assistant: continued where the model can (C05), without space at its end (C46)."""
        messages = self._payload["messages"]
        if not messages or messages[-1]["role"] != "assistant":
            return
        path = f"messages.{len(self._call.request.messages) - 1}"
        if not self.can("prefill"):
            messages.append({"role": "user", "content": GO_ON})
            self._note(path, "continued by instruction")
            return
        content = _blocks(messages[-1]["content"])
        text = content[-1].get("text") if content else None
        if isinstance(text, str) and text != text.rstrip():
            content[-1] = {**content[-1], "text": text.rstrip()}
            messages[-1]["content"] = content if text.strip() else content[:-1]
            self._note(f"{path}.content", "trimmed")

    def cache_scopes(self) -> None:
        """Bedrock's caches have no scope; whose cache it is changes no answer."""
        for control in _cache_controls(self._payload):
            if control.pop("scope", None) is not None:
                self.changed = True

    def _note(self, path: str, change: str) -> None:
        self.changed = True
        self.adaptations.append(Adaptation(path, change))


def _blocks(content: str | list[Json]) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _behind_results(blocks: list[Json], more: list[Json]) -> list[Json]:
    """A user's turn with *more* in front, but behind its tool results, which have to come first."""
    at = max((at for at, block in enumerate(blocks, start=1) if block["type"] == "tool_result"), default=0)
    return [*blocks[:at], *more, *blocks[at:]]


def _marked(blocks: list[Json]) -> list[Json]:
    """A system turn in a user's mouth; what is no text stands behind its words."""
    texts = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    told = {"type": "text", "text": f"<system>\n{texts}\n</system>"}
    return [told, *(block for block in blocks if block["type"] != "text")]


def _cache_controls(payload: Json) -> Iterator[Json]:
    places = [*_items(payload.get("tools")), *_items(payload.get("system"))]
    for message in payload["messages"]:
        for block in _items(message["content"]):
            places += [block, *_items(block.get("content"))]
    for place in places:
        control = place.get("cache_control")
        if isinstance(control, dict):
            yield control


def _items(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
