"""What a translation has not read of a conversation (C04)."""

import pytest

from megallm.messages.calls import Adaptation
from megallm.messages.requests import MessagesRequest
from megallm.messages.unread import asks_for_nothing, unread_members, unread_options, unread_settings


def test_members_that_no_schema_names_are_told_with_their_paths() -> None:
    """On every level; caching, empty values, opaque blocks and what was told already are not."""
    source = {"type": "base64", "media_type": "image/png", "data": "", "sharpness": 0}
    messages = [
        {"role": "user", "content": "Hi", "mood": "good", "cache_control": {"type": "ephemeral"}},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "a", "citations": [{"type": "x"}]},
                {"type": "text", "text": "b", "citations": None},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"any": 1}},
                {"type": "of_tomorrow", "more": 1},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source}], "x": 1}
            ],
        },
    ]
    request = MessagesRequest.model_validate({"model": "m", "max_tokens": 1, "messages": messages})

    told = unread_members(request.messages, [Adaptation("messages.2.content.0.x", "dropped")])

    assert told == [
        Adaptation(path, "dropped")
        for path in (
            "messages.0.mood",
            "messages.1.content.0.citations",
            "messages.2.content.0.content.0.source.sharpness",
        )
    ]


def test_members_of_the_options_are_told_too() -> None:
    """Whatever stands beside the conversation."""
    options = {
        "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "x": 1}],
        "thinking": {"type": "disabled", "x": 1},
        "tool_choice": {"type": "auto", "x": 1},
        "output_config": {"format": {"type": "json_schema", "schema": {}, "x": 1}},
    }
    message = {"role": "user", "content": "Hi"}
    bare = MessagesRequest.model_validate({"model": "m", "max_tokens": 1, "messages": [message]})
    full = MessagesRequest.model_validate({"model": "m", "max_tokens": 1, "messages": [message], **options})

    assert unread_options(bare) + unread_settings(bare) == []
    assert [adaptation.field for adaptation in unread_options(full)] == ["thinking.x", "output_config.format.x"]
    assert [adaptation.field for adaptation in unread_settings(full)] == ["tool_choice.x", "system.1.x"]


@pytest.mark.parametrize("value", [None, False, [], {}, {"enabled": False}, {"type": "direct"}], ids=str)
def test_a_value_of_nothing_loses_nothing(value: object) -> None:
    """It asks for what happens anyway."""
    assert asks_for_nothing(value)


@pytest.mark.parametrize("value", [0, 0.0, "", True, [0], {"enabled": True}, {"type": "direct", "more": 1}], ids=str)
def test_every_other_value_asks_for_something(value: object) -> None:
    """0 is a value like any other."""
    assert not asks_for_nothing(value)
