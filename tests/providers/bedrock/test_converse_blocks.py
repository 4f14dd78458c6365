"""Content blocks on their way to Converse: images, documents, calls and their results."""

from base64 import b64encode

from megallm.messages.calls import Adaptation

from .asking import CALL_TURNS, WEATHER
from .converse_asking import IMAGE, USED, WIRE_IMAGE, told, user


def test_images_and_documents() -> None:
    """Texts stand in line; files have a clean name of their own, and words beside them."""
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    messages, adaptations = told(
        [
            IMAGE,
            {"type": "document", "source": pdf, "title": "Q3/Q4: report", "context": "From the board."},
            {"type": "document", "source": pdf, "citations": {"enabled": True}},
            {"type": "document", "title": "T", "context": "C", "source": {"type": "text", "data": "Body"}},
            {"type": "document", "source": {"type": "content", "content": "Text"}},
            {
                "type": "document",
                "source": {"type": "content", "content": [{"type": "text", "text": "Part"}, IMAGE]},
            },
            {
                "type": "search_result",
                "source": "https://a.invalid",
                "title": "S",
                "content": [{"type": "text", "text": "Found"}],
                "citations": {"enabled": True},
            },
        ]
    )

    assert messages == [
        user(
            WIRE_IMAGE,
            {"text": "From the board."},
            {"document": {"format": "pdf", "name": "Q3 Q4 report (1)", "source": {"bytes": "JVBERi0="}}},
            {"document": {"format": "pdf", "name": "Document (2)", "source": {"bytes": "JVBERi0="}}},
            {"text": "<document>\nT\nC\nBody\n</document>"},
            {"text": "<document>\nText\n</document>"},
            {"text": "<document>\nPart\n</document>"},
            WIRE_IMAGE,
            {"text": "[search result: S (https://a.invalid)]\nFound"},
        )
    ]
    assert adaptations == (
        Adaptation("messages.0.content.1.title", "cleaned"),
        Adaptation("messages.0.content.2.citations", "dropped"),
        Adaptation("messages.0.content.6.citations", "dropped"),
    )


def test_a_table_may_pass_documents_and_search_results_as_converses_own() -> None:
    """Where the model knows them; a document alone gets words beside it."""
    takes = {"blocks": {"document.text": "pass", "search_result": "pass"}}
    text = {"type": "document", "source": {"type": "text", "data": "Body"}}
    result = {"type": "search_result", "source": "u", "title": "S", "content": [{"type": "text", "text": "Found"}]}

    messages, _ = told([text, result], takes=takes)

    body = b64encode(b"Body").decode()
    assert messages == [
        user(
            {"text": "See the document."},
            {"document": {"format": "txt", "name": "Document (1)", "source": {"bytes": body}}},
            {"searchResult": {"source": "u", "title": "S", "content": [{"text": "Found"}]}},
        )
    ]


def test_a_table_may_drop_what_the_model_cannot_see() -> None:
    """Aloud, and the rest stays."""
    takes = {"blocks": {"image": "drop", "image.base64": "drop", "document.text": "drop", "search_result": "drop"}}
    text = {"type": "document", "source": {"type": "text", "data": "Body"}}
    result = {"type": "search_result", "source": "u", "title": "S", "content": []}

    messages, adaptations = told([{"type": "text", "text": "Hi"}, IMAGE, text, result], takes=takes)

    assert messages == [user({"text": "Hi"})]
    assert adaptations == tuple(Adaptation(f"messages.0.content.{at}", "dropped") for at in (1, 2, 3))


def test_calls_and_results() -> None:
    """Results come first in their turn; what they cannot hold for this model stands beside them (C17)."""
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "is_error": True,
        "content": [{"type": "text", "text": "cold"}, IMAGE],
    }
    empty = {"type": "tool_result", "tool_use_id": "t2"}
    messages, adaptations = told(
        [*CALL_TURNS, {"role": "user", "content": [{"type": "text", "text": "So?"}, result, empty]}], tools=[WEATHER]
    )

    assert messages == [
        user({"text": "Paris?"}),
        {"role": "assistant", "content": [USED]},
        user(
            {"toolResult": {"toolUseId": "t1", "content": [{"text": "Error:"}, {"text": "cold"}]}},
            {"toolResult": {"toolUseId": "t2", "content": [{"text": "(no output)"}]}},
            {"text": "So?"},
            WIRE_IMAGE,
        ),
    ]
    assert adaptations == ()


def test_a_model_that_knows_errors_and_images_in_results_gets_them_there() -> None:
    """As Nova does."""
    takes = {"blocks": {"tool_result.image": "pass", "tool_result.is_error": "pass"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [IMAGE]}

    messages, _ = told([*CALL_TURNS, {"role": "user", "content": [result]}], tools=[WEATHER], takes=takes)

    assert messages[-1] == user(  # type: ignore[index]  # a list
        {"toolResult": {"toolUseId": "t1", "status": "error", "content": [WIRE_IMAGE]}}
    )


def test_a_result_of_an_image_alone_says_where_it_is() -> None:
    """Converse refuses a result without content."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [IMAGE]}

    messages, _ = told([*CALL_TURNS, {"role": "user", "content": [result]}], tools=[WEATHER])

    assert messages[-1] == user(  # type: ignore[index]  # a list
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "(see the image below)"}]}}, WIRE_IMAGE
    )
