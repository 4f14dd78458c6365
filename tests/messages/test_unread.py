"""What a translation has not read of a conversation (C04)."""

import pytest

from megallm.messages.calls import Adaptation
from megallm.messages.requests import MessagesRequest
from megallm.messages.unread import asks_for_nothing, lost_caching, unread_members, unread_options, unread_settings


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


CACHED = {"cache_control": {"type": "ephemeral"}}
TEXT = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    "fields",
    [
        CACHED,
        {"system": [TEXT, {**TEXT, **CACHED}]},
        {"tools": [{"name": "f", "input_schema": {}, **CACHED}]},
        {"tools": [{"type": "bash_20250124", "name": "bash", **CACHED}]},
        {"messages": [{"role": "user", "content": [{**TEXT, **CACHED}, {**TEXT, **CACHED}]}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{**TEXT, **CACHED}]}],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "document", "source": {"type": "content", "content": [{**TEXT, **CACHED}]}},
                    ],
                }
            ]
        },
    ],
)
def test_caching_that_is_asked_for_anywhere_is_told_once(fields: dict[str, object]) -> None:
    """It may stand in a hundred blocks, and the header is short (C04, C21)."""
    request = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}], **fields}

    assert lost_caching(MessagesRequest.model_validate(request)) == (Adaptation("cache_control", "dropped"),)


def test_caching_that_nobody_asks_for_is_not_told() -> None:
    """A tool may have a parameter of that name, and null asks for nothing."""
    tool = {"name": "f", "input_schema": {"properties": CACHED}, "cache_control": None}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": CACHED}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [call, {"type": "news", "content": [1]}]},
    ]
    request = {"model": "m", "max_tokens": 1, "messages": turns, "tools": [tool], "system": "Hi"}

    assert lost_caching(MessagesRequest.model_validate(request)) == ()


def test_an_extra_that_is_called_like_a_part_is_an_extra() -> None:
    """Whatever is in it: a client's mistake is no crash (C08)."""
    block = {"type": "text", "text": "a", "content": [1, {"x": 1}], "source": [None]}
    turn = {"role": "user", "content": [block]}
    request = MessagesRequest.model_validate({"model": "m", "max_tokens": 1, "messages": [turn]})

    told = [adaptation.field for adaptation in unread_members(request.messages, [])]

    assert told == ["messages.0.content.0.content", "messages.0.content.0.source"]
