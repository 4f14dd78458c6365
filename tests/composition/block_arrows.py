"""A request for each block that can have an arrow, and the words that each sender takes behind it."""

from collections.abc import Mapping

from tests.composition.sending import Json


def request_with(*content: Json, **more: object) -> Json:
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": list(content)}], **more}


TEXT = {"type": "text", "text": "Hi"}
DATA = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://e.com/x.png"}}
RESULTS: Json = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "i1", "name": "t", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "i1", "is_error": True, "content": [IMAGE]}],
        },
    ],
    "tools": [{"name": "t", "input_schema": {"type": "object"}}],
}
BLOCKS: Mapping[str, Json] = {
    "image.url": request_with(IMAGE),
    "image.base64": request_with({"type": "image", "source": {**DATA, "media_type": "image/png"}}),
    "document.base64": request_with(TEXT, {"type": "document", "source": DATA}),
    "document.text": request_with(
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "D"}}
    ),
    "document.content": request_with({"type": "document", "source": {"type": "content", "content": "D"}}),
    "search_result": request_with({"type": "search_result", "source": "s", "title": "T", "content": [TEXT]}),
    "tool_result.image": RESULTS,
    "tool_result.is_error": RESULTS,
    "tool.web_search_20250305": request_with(TEXT, tools=[{"type": "web_search_20250305", "name": "web_search"}]),
}
# The words that are taken, and what of the body shows that they were kept to.
KEPT: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "anthropic": {"tool.web_search_20250305": ("web_search_20260209", '"type":"web_search_20260209"')},
    "bedrock": {
        "image.url": ("base64", '"data":"UE5H"'),
        "tool.web_search_20250305": ("web_search_20260209", '"type":"web_search_20260209"'),
    },
    "converse": {
        "image.url": ("base64", '"bytes":"UE5H"'),
        "document.text": ("text", r'"text":"<document>\nD\n</document>"'),
        "document.content": ("text", r'"text":"<document>\nD\n</document>"'),
        "search_result": ("text", r'"text":"[search result: T (s)]\nHi"'),
        "tool_result.image": ("beside", '"text":"(see the image below)"'),
        "tool_result.is_error": ("text", '"text":"Error:"}'),
    },
    "openai": {
        "image.url": ("base64", "data:image/png;base64,UE5H"),
        "document.base64": ("file", '"type":"file"'),
    },
}
