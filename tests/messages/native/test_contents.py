"""Blocks and tools of a request for a native upstream, as the route's table takes them."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic_core import from_json

from megallm.errors import InvalidRequest

from .bodies import body_of, changes, request, table

TEXT = {"type": "text", "text": "Hi"}
BASE64 = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
URL = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
HOLOGRAM = {"type": "hologram", "source": {"type": "cloud"}, "depth": 1}
PLAIN = {"type": "hologram"}


def messages_of(*blocks: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def dropped(rules: Mapping[str, str], *blocks: object) -> tuple[list[object], list[tuple[str, str]]]:
    """What is left of a turn, and what is told."""
    got = body_of(request(**messages_of(*blocks)), takes=table(blocks=rules))
    return from_json(got.body)["messages"][0]["content"], changes(got)


def test_blocks_are_dropped_by_type_or_by_type_and_source() -> None:
    """The entry for both goes before the one for the type."""
    told = [("messages.0.content.1", "dropped")]

    assert dropped({"image": "drop"}, TEXT, URL) == ([TEXT], told)
    assert dropped({"image.url": "drop"}, TEXT, URL, BASE64) == ([TEXT, BASE64], told)
    assert dropped({"image": "drop", "image.base64": "pass"}, BASE64, URL, TEXT) == ([BASE64, TEXT], told)
    assert dropped({"*": "drop", "text": "pass"}, TEXT, HOLOGRAM) == ([TEXT], told)
    assert dropped({"hologram.cloud": "drop"}, TEXT, HOLOGRAM, PLAIN) == ([TEXT, PLAIN], told)


def test_the_system_prompt_and_what_lies_within_blocks_are_looked_at_too() -> None:
    """Results of tools, documents made of blocks."""
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {"image": {"type": "image"}}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [TEXT, URL]}
    document = {"type": "document", "source": {"type": "content", "content": [URL, TEXT]}}
    body = request(
        system=[TEXT, {"type": "text", "text": "x", "source": {"type": "y"}}],
        messages=[
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result, document]},
        ],
    )

    got = body_of(body, takes=table(blocks={"image": "drop", "text.y": "drop"}))

    payload = from_json(got.body)
    assert payload["system"] == [TEXT]
    assert payload["messages"][1:] == [
        {"role": "assistant", "content": [call]},
        {
            "role": "user",
            "content": [{**result, "content": [TEXT]}, {**document, "source": {"type": "content", "content": [TEXT]}}],
        },
    ]
    assert changes(got) == [
        ("system.1", "dropped"),
        ("messages.2.content.0.content.1", "dropped"),
        ("messages.2.content.1.source.content.0", "dropped"),
    ]


@pytest.mark.parametrize(
    ("fields", "rules", "param"),
    [
        (messages_of(TEXT, URL), {"image.url": "refuse"}, "messages.0.content.1"),
        (messages_of(URL), {"image.url": "drop"}, "messages.0.content"),
        (messages_of(URL), {"image.url": "-> base64"}, "messages.0.content.0"),
        ({"system": [TEXT]}, {"text": "drop"}, "system"),
        ({"tools": [{"name": "a", "input_schema": {}}]}, {"tool.custom": "refuse"}, "tools.0"),
        ({"tools": [{"type": "web_search_1", "name": "w"}]}, {"tool.web_*": "drop"}, "tools"),
    ],
)
def test_what_cannot_go_upstream_is_refused_by_name(
    fields: Mapping[str, object], rules: Mapping[str, str], param: str
) -> None:
    """Because the table says so, because nothing would be left, or because it would have to be made anew."""
    with pytest.raises(InvalidRequest) as caught:
        body_of(request(**fields), takes=table(blocks=rules))

    assert caught.value.param == param


def test_tools_go_by_their_type() -> None:
    """One of the caller's own is custom; another version of a tool is told; rules of blocks do not mean them."""
    tools: list[dict[str, object]] = [
        {"name": "mine", "input_schema": {"type": "web_search_2"}},
        {"type": "web_search_2", "name": "web_search", "max_uses": 1.0},
        {"type": "bash_1", "name": "bash"},
    ]
    rules = {"tool.web_search_*": "-> web_search_1", "tool.bash_*": "drop", "*": "pass", "custom": "drop"}

    got = body_of(request(tools=tools), takes=table(blocks=rules))

    assert from_json(got.body)["tools"] == [tools[0], {**tools[1], "type": "web_search_1"}]
    assert changes(got) == [("tools.1.type", "web_search_1"), ("tools.2", "dropped")]
