"""A field that nobody knows, put into every object of a rich request in turn: it is sent, or named (C04)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from megallm.catalog.compatibility import shipped
from megallm.messages.blocks import Shape
from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse

from .asking import ASKED, CALL, FORMAT, IMAGE, PDF, ROUTE, SIGNER, WEATHER, assistant, call_of, result, text, user
from .asking import translated as translated_call

CANARY = "canary"
SEARCHED = {"type": "search_result", "source": "s", "title": "t", "content": [text("found"), text("more")]}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": SIGNER.sign(ROUTE, "hm")}
OTHERS_THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "native"}
REDACTED = {"type": "redacted_thinking", "data": "x"}
INVENTED = {"type": "invention_of_tomorrow"}
WEB_SEARCH = {"type": "web_search_20260318", "name": "web_search"}


def document(**source: object) -> dict[str, object]:
    return {"type": "document", "source": source}


IMAGES = {"https://a.invalid/x.png": "data:image/png;base64,aGk="}
CONVERSATION = [
    {"role": "user", "content": "Look."},
    ASKED,
    assistant(THOUGHT, OTHERS_THOUGHT, REDACTED, text("So."), INVENTED, CALL),
    {"role": "system", "content": [text("Be brief.")]},
    user(
        result(text("seen"), IMAGE, SEARCHED, PDF, INVENTED),
        text("and"),
        IMAGE,
        {"type": "image", "source": {"type": "url", "url": "https://a.invalid/x.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        document(type="text", data="a"),
        document(type="content", content="a"),
        document(type="content", content=[text("a"), IMAGE]),
        document(type="url", url="https://a.invalid/x.pdf"),
        document(type="file", file_id="f"),
        PDF,
        SEARCHED,
        INVENTED,
    ),
    assistant(text("Well.")),
    {"role": "assistant", "content": "Then"},
    {"role": "user", "content": "Go on."},
    user(result("plain", call_id="t2")),
]
TABLES = ["openai", "azure", "vllm", "llama.cpp", "ollama", "deepseek", "litellm"]
REQUESTS: Sequence[Mapping[str, Any]] = [  # Any: what call_of takes
    {
        "system": [text("Be good.")],
        "tools": [WEATHER, {**WEATHER, "name": "other", "type": "custom"}, WEB_SEARCH],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "output_config": {**FORMAT, "effort": "low"},
        "metadata": {"user_id": "u"},
    },
    {"tools": [WEATHER], "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}},
    {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "get_weather"}, "thinking": {"type": "disabled"}},
    {"tools": [WEATHER], "tool_choice": {"type": "none"}, "thinking": {"type": "of_tomorrow"}},
    {"tools": [WEB_SEARCH], "tool_choice": {"type": "auto"}},
]

Path = tuple[str | int, ...]


def shapes(value: object, path: Path = ()) -> Iterator[tuple[Path, type[Shape]]]:
    """Every part of a request that may hold fields that we do not know, with its place in the JSON."""
    match value:
        case Shape():
            yield path, type(value)
            for name, field in type(value).model_fields.items():
                yield from shapes(getattr(value, name), (*path, field.alias or name))
        case list():
            for index, part in enumerate(value):
                yield from shapes(part, (*path, index))
        case _:
            assert not isinstance(value, BaseModel)


def with_canary(body: bytes, path: Path) -> dict[str, Any]:
    """The request with the field at this place."""
    request: dict[str, Any] = from_json(body)
    place: object = request
    for step in path:
        assert isinstance(place, dict | list)
        place = place[step]  # type: ignore[index]  # a step fits the value that it was found in
    assert isinstance(place, dict)
    place[CANARY] = 0  # the value that is most easily taken for nothing
    return request


def drops(table: str) -> dict[str, str]:
    """Blocks that this server cannot be given at all are left out here instead of refused."""
    refused = [kind for kind, rule in shipped(table).blocks.named.items() if rule.action == "refuse"]
    return dict.fromkeys([*refused, "image.file", "document.url", "document.file"], "drop")


def silent(request: Mapping[str, Any], table: str, path: Path) -> bool:
    """Whether the field is gone without a word."""
    fields = {name: value for name, value in request.items() if name not in ("messages", "model", "max_tokens")}
    wire = translated_call(
        call_of(request["messages"], table=table, takes={"blocks": drops(table)}, **fields), images=IMAGES
    )
    if f'"{CANARY}"' in to_json(wire.body).decode():
        return False
    place = ".".join(map(str, (*path, CANARY)))
    return not any(f"{place}.".startswith(f"{adaptation.field}.") for adaptation in wire.adaptations)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("more", REQUESTS, ids=range(len(REQUESTS)))
def test_no_field_vanishes_in_silence(more: Mapping[str, Any], table: str) -> None:
    """Wherever it stands, on every server."""
    body = call_of(CONVERSATION, **more).body

    places = [path for path, _ in shapes(parse(body, MessagesRequest))]

    assert [path for path in places if silent(with_canary(body, path), table, path)] == []


def test_every_object_of_the_api_is_tried() -> None:
    """Else a new one would go unseen."""
    seen = {
        shape for more in REQUESTS for _, shape in shapes(parse(call_of(CONVERSATION, **more).body, MessagesRequest))
    }

    assert all_below(Shape) - seen == {TokenCountRequest}


def all_below(shape: type[Shape]) -> set[type[Shape]]:
    found: set[type[Shape]] = set()
    for each in shape.__subclasses__():
        found |= {each, *all_below(each)}
    return found
