"""What a small text model cannot do: refused, with the path of the field."""

import pytest

from megallm.errors import InvalidRequest

from .asking import WEATHER, wire_of

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"content": [IMAGE]}, "messages.0.content.0", "tiny takes no images"),
        (
            {"content": [{"type": "text", "text": "a"}, PDF]},
            "messages.0.content.1",
            "tiny takes no documents by base64",
        ),
        (
            {"content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]},
            "messages.0.content.0",
            "tiny takes no documents by file",
        ),
        (
            {"content": [{"type": "document", "source": {"type": "content", "content": [IMAGE]}}]},
            "messages.0.content.0.source.content.0",
            "tiny takes no images",
        ),
        (
            {"content": [{"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}]},
            "messages.0.content.0.content.0",
            "tiny takes no images",
        ),
        (
            {"content": [{"type": "container_upload", "file_id": "f"}]},
            "messages.0.content.0",
            "tiny takes no blocks of type 'container_upload'",
        ),
        (
            {"tools": [{"type": "web_search_20260318", "name": "web_search"}]},
            "tools.0.type",
            "tiny has no tool of type",
        ),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "there are no tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name", "no tool 'x'"),
        ({"max_tokens": 0}, "max_tokens", "must be at least 1"),
        ({"mcp_servers": [{"url": "https://a.invalid"}]}, "mcp_servers", "reaches no servers"),
        ({"container": "container_1"}, "container", "tiny has no containers"),
        ({"container": {"skills": []}}, "container", "tiny has no containers"),
        ({"content": [{"role": "assistant", "content": ""}]}, "messages", "nothing to answer"),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_name(fields: dict[str, object], param: str, message: str) -> None:
    """The path of the field, and why."""
    with pytest.raises(InvalidRequest, match=message) as caught:
        wire_of(**fields)

    assert caught.value.param == param
