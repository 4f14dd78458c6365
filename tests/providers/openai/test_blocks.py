"""Turns and content blocks as chat messages (C05, C06, C16 to C18)."""

from hashlib import sha256

import pytest

from megallm.errors import InvalidRequest

from .asking import (
    ASKED,
    BY_URL,
    CALL,
    CALL_WIRE,
    IMAGE,
    IMAGE_PART,
    PDF,
    PNG,
    adapted,
    assistant,
    dropped,
    messages_of,
    result,
    text,
    user,
    wire_of,
)


def test_consecutive_turns_of_one_role_are_merged() -> None:
    """C05: text is a string wherever there is nothing else, which every chat template takes."""
    messages = messages_of(
        [
            ASKED,
            user(text("there"), text("now")),
            assistant(text("I "), text("look.")),
            {"role": "assistant", "content": " And see."},
            {"role": "user", "content": "Well?"},
        ]
    )

    assert messages == [
        {"role": "user", "content": "Look\nthere\nnow"},
        {"role": "assistant", "content": "I look. And see."},
        {"role": "user", "content": "Well?"},
    ]


def test_a_system_turn_keeps_its_place() -> None:
    """C06; the server's own name for the role."""
    conversation = [ASKED, {"role": "system", "content": "In French."}, user(text("Go"))]

    assert messages_of(conversation)[1] == {"role": "developer", "content": "In French."}
    assert messages_of(conversation, table="vllm")[1] == {"role": "system", "content": "In French."}


def test_where_only_the_first_message_may_be_the_systems_a_later_one_is_the_users() -> None:
    """In its place, and told."""
    wire = wire_of(
        [ASKED, {"role": "system", "content": [text("In"), text("French.")]}, user(text("Go"))],
        table="vllm",
        takes={"features": {"system_turns": "leading"}},
    )

    assert wire.messages[1] == {"role": "user", "content": "<system>\nIn\nFrench.\n</system>"}
    assert adapted(wire) == [("messages.1.role", "sent as user")]


def test_calls_become_tool_calls_and_results_tool_messages_before_all_else() -> None:
    """C16, C21: all adjacent; an input keeps what it holds, whatever it is called."""
    second = {"type": "tool_use", "id": "t2", "name": "rest", "input": {}, "cache_control": {"type": "ephemeral"}}
    messages = messages_of(
        [
            ASKED,
            assistant(text("Wait."), CALL, second),
            user(text("Hm."), result("a tree", call_id="t1"), text("So?"), result(text("ok"), text("!"), call_id="t2")),
        ]
    )

    assert messages[1:] == [
        {
            "role": "assistant",
            "content": "Wait.",
            "tool_calls": [
                CALL_WIRE,
                {"id": "t2", "type": "function", "function": {"name": "rest", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "a tree"},
        {"role": "tool", "tool_call_id": "t2", "content": "ok\n!"},
        {"role": "user", "content": "Hm.\nSo?"},
    ]


def test_a_turn_of_results_alone_is_followed_by_nothing() -> None:
    """And a call without words has null for its content, as in servers' own replies."""
    messages = messages_of([ASKED, assistant(CALL), user(result("a tree"))])

    assert messages[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [CALL_WIRE]},
        {"role": "tool", "tool_call_id": "t1", "content": "a tree"},
    ]


def test_a_failed_tool_says_so() -> None:
    """C17: is_error reaches the model."""
    messages = messages_of(
        [ASKED, assistant(CALL), user(result("no tree", is_error=True)), assistant(CALL), user(result(is_error=True))]
    )

    assert [message["content"] for message in messages if message["role"] == "tool"] == ["Error:\nno tree", "Error:"]


def test_images_of_a_tool_follow_all_tool_messages_of_the_turn() -> None:
    """C17: with a line that says whose they are."""
    messages = messages_of(
        [
            ASKED,
            assistant(CALL, CALL | {"id": "t2"}),
            user(text("So?"), result(text("seen"), IMAGE), result(IMAGE, call_id="t2")),
        ]
    )

    elsewhere = "(the attachment follows in the next user message)"
    assert messages[2:] == [
        {"role": "tool", "tool_call_id": "t1", "content": f"seen\n{elsewhere}"},
        {"role": "tool", "tool_call_id": "t2", "content": elsewhere},
        {
            "role": "user",
            "content": [
                text("Attachment of the result of tool call t1:"),
                IMAGE_PART,
                text("Attachment of the result of tool call t2:"),
                IMAGE_PART,
                text("So?"),
            ],
        },
    ]


def test_images_of_a_tool_stay_where_the_server_takes_them() -> None:
    """A feature of its table."""
    messages = messages_of(
        [ASKED, assistant(CALL), user(result(text("seen"), IMAGE))],
        takes={"features": {"images_in_tool_results": True}},
    )

    assert messages[2:] == [{"role": "tool", "tool_call_id": "t1", "content": [text("seen"), IMAGE_PART]}]


def test_long_ids_of_calls_are_sent_as_their_hash_everywhere() -> None:
    """C20: the client keeps its own; the two still match."""
    long = "t" * 41
    wire = wire_of([ASKED, assistant(CALL | {"id": long}), user(result(IMAGE, call_id=long))])

    short = sha256(long.encode()).hexdigest()[:40]
    assert wire.messages[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [CALL_WIRE | {"id": short}]},
        {"role": "tool", "tool_call_id": short, "content": "(the attachment follows in the next user message)"},
        {"role": "user", "content": [text(f"Attachment of the result of tool call {short}:"), IMAGE_PART]},
    ]
    assert messages_of([ASKED, assistant(CALL | {"id": long}), user(result("x", call_id=long))], table="vllm")[2] == {
        "role": "tool",
        "tool_call_id": long,
        "content": "x",
    }


def test_documents_search_results_and_images_are_parts() -> None:
    """C18: a PDF goes as a file where the server takes one."""
    wire = wire_of(
        [
            user(
                {"type": "document", "title": "T", "context": "C", "source": {"type": "text", "data": "Body"}},
                {"type": "document", "source": {"type": "content", "content": "Plain"}},
                {"type": "document", "title": "P", "source": {"type": "content", "content": [text("See"), IMAGE]}},
                PDF | {"title": "Report.pdf", "context": "of May"},
                PDF,
                {
                    "type": "search_result",
                    "source": "https://a.invalid",
                    "title": "S",
                    "content": [text("F"), text("G")],
                },
                IMAGE,
                BY_URL,
            )
        ]
    )

    data = "data:application/pdf;base64,aGk="
    assert wire.messages == [
        {
            "role": "user",
            "content": [
                text("<document>\nT\nC\nBody\n</document>"),
                text("<document>\nPlain\n</document>"),
                text("<document>\nP"),
                text("See"),
                IMAGE_PART,
                text("</document>"),
                text("of May"),
                {"type": "file", "file": {"filename": "Report.pdf", "file_data": data}},
                {"type": "file", "file": {"filename": "document.pdf", "file_data": data}},
                text("[search result: S (https://a.invalid)]\nF\nG"),
                IMAGE_PART,
                {"type": "image_url", "image_url": {"url": "https://a.invalid/x.png"}},
            ],
        }
    ]
    assert wire.adaptations == ()
    assert wire.media.count == 5


def test_what_a_block_has_beyond_its_content_is_lost_and_listed() -> None:
    """C04: citations, callers; caching once for them all; what asks for nothing is not missed."""
    wire = wire_of(
        [
            user(
                {"type": "document", "source": {"type": "text", "data": "D"}, "citations": {"enabled": True}},
                {"type": "document", "source": {"type": "text", "data": "D"}, "citations": {"enabled": False}},
                text("a") | {"cache_control": {"type": "ephemeral"}},
                text("a") | {"cache_control": {"type": "ephemeral"}},
            ),
            assistant(
                text("b") | {"citations": [{"type": "char_location"}]},
                CALL | {"caller": {"type": "direct"}},
                CALL | {"id": "t2", "caller": {"type": "code_execution_20260120"}},
            ),
            user(result("x", extra=1), result("y", call_id="t2")),
        ]
    )

    assert wire.adaptations == dropped(
        "messages.0.content.0.citations",
        "cache_control",
        "messages.1.content.0.citations",
        "messages.1.content.2.caller",
        "messages.2.content.0.extra",
    )


def test_what_the_table_drops_is_dropped_and_listed() -> None:
    """Blocks by type, or by type and source."""
    rules = dict.fromkeys(("image.base64", "document.text", "search_result", "tomorrow", "image.file"), "drop")
    wire = wire_of(
        [
            user(
                IMAGE,
                {"type": "document", "source": {"type": "text", "data": "D"}},
                {"type": "search_result", "source": "s", "title": "S", "content": []},
                {"type": "tomorrow", "x": 1},
                {"type": "image", "source": {"type": "file", "file_id": "f"}},
            ),
            assistant({"type": "tomorrow"}, text("b")),
            user(text("c")),
        ],
        takes={"blocks": rules},
    )

    assert wire.messages == [
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert wire.adaptations == dropped(*(f"messages.0.content.{at}" for at in range(5)), "messages.1.content.0")


@pytest.mark.parametrize(
    ("conversation", "param", "message"),
    [
        (
            [user({"type": "container_upload", "file_id": "f"})],
            "messages.0.content.0",
            "no blocks of type 'container_up",
        ),
        ([ASKED, assistant({"type": "server_tool_use"}), ASKED], "messages.1.content.0", "blocks of type 'server_tool"),
        (
            [user({"type": "image", "source": {"type": "file", "file_id": "f"}})],
            "messages.0.content.0",
            "image by file",
        ),
        (
            [user({"type": "document", "source": {"type": "url", "url": "https://a.invalid"}})],
            "messages.0.content.0",
            "document by url",
        ),
        (
            [user({"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}})],
            "messages.0.content.0",
            "image URLs that begin with https",
        ),
        ([user(text("a"), CALL)], "messages.0.content.1", "no tool_use block here"),
        ([{"role": "user", "content": "a"}, assistant(result("x")), ASKED], "messages.1.content.0", "no tool_result"),
        ([ASKED, assistant(IMAGE), ASKED], "messages.1.content.0", "images and files in user turns only"),
        (
            [ASKED, {"role": "system", "content": [IMAGE]}, ASKED],
            "messages.1.content.0",
            "nothing but text in a system",
        ),
        ([user(result({"type": "tool_reference", "name": "x"}))], "messages.0.content.0.content.0", "'tool_reference'"),
        (
            [
                user(
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [BY_URL | {"source": {"type": "url", "url": "x"}}]},
                    }
                )
            ],
            "messages.0.content.0.source.content.0",
            "image URLs",
        ),
    ],
)
def test_blocks_that_cannot_be_said_are_refused_by_name(
    conversation: list[dict[str, object]], param: str, message: str
) -> None:
    """The path of the block, and the model."""
    with pytest.raises(InvalidRequest, match=message) as caught:
        wire_of(conversation)

    assert caught.value.param == param
    assert caught.value.message.startswith(f"{param}: m-1 ")


@pytest.mark.parametrize("kind", ["image.file", "document.url", "document.file"])
def test_what_no_rule_can_make_possible_is_refused_even_if_it_passes(kind: str) -> None:
    """An operator's table says more than chat completions can."""
    block, source = kind.split(".")
    details = {"url": "https://a.invalid"} if source == "url" else {"file_id": "f"}

    with pytest.raises(InvalidRequest, match="m-1"):
        wire_of([user({"type": block, "source": {"type": source, **details}})], takes={"blocks": {kind: "pass"}})


def test_the_data_of_media_is_counted() -> None:
    """So that an estimate of the input does not take it for text."""
    media = wire_of([user(IMAGE, PDF)]).media

    assert (media.count, media.letters) == (
        2,
        len(f"data:image/png;base64,{PNG}") + len("data:application/pdf;base64,aGk="),
    )
