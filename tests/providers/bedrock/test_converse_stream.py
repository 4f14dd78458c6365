"""Converse's events as those of a reply: what each becomes, and what must not become a reply."""

from collections.abc import Mapping, Sequence

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Reply,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from megallm.messages.fold import fold
from megallm.providers.bedrock.converse.stream import ConverseStream, Expected, from_wire
from megallm.providers.bedrock.converse.tools import OUTPUT_TOOL

from .asking import counting_ids
from .frames import Event as Sent

ESTIMATE = Usage(input_tokens=9, output_tokens=9)
TOLD = {"inputTokens": 12, "outputTokens": 5, "totalTokens": 17}
USAGE = Usage(input_tokens=12, output_tokens=5)
METADATA: Sent = ("metadata", {"usage": TOLD, "metrics": {"latencyMs": 7}})


def expected(**more: object) -> Expected:
    """What a plain request says of its reply."""
    defaults: dict[str, object] = {
        "new_tool_id": counting_ids(),
        "sign": lambda text: f"signed {text}",
        "tool_names": {},
    }
    return Expected(**{**defaults, **more})  # type: ignore[arg-type]  # fields of any type


def delta(index: int, content: Mapping[str, object]) -> Sent:
    """A piece of a block."""
    return ("contentBlockDelta", {"contentBlockIndex": index, "delta": content})


def call(index: int, identifier: object = "t1", name: str = "get_weather") -> Sent:
    """The beginning of a call."""
    start = {"toolUse": {"toolUseId": identifier, "name": name}}
    return ("contentBlockStart", {"contentBlockIndex": index, "start": start})


def stop(index: int) -> Sent:
    """The end of a block."""
    return ("contentBlockStop", {"contentBlockIndex": index})


def ended(reason: str) -> list[Sent]:
    """The end of a reply."""
    return [("messageStop", {"stopReason": reason}), METADATA]


def events_of(sent: Sequence[Sent], wanted: Expected | None = None) -> list[Event]:
    """All events of a reply that begins as every one does."""
    stream = ConverseStream(wanted or expected())
    events = stream.feed("messageStart", {"role": "assistant"})
    for name, payload in sent:
        events += stream.feed(name, payload)
    return events + stream.finish(ESTIMATE)


def reply_of(sent: Sequence[Sent], wanted: Expected | None = None) -> Reply:
    """The same, folded."""
    return fold(events_of(sent, wanted))


def test_text() -> None:
    """Blocks of text have no start in Converse."""
    events = events_of([delta(0, {"text": "Hel"}), delta(0, {"text": "lo"}), stop(0), *ended("end_turn")])

    assert events == [
        MessageStart(Usage(1)),
        BlockStart(0, {"type": "text", "text": ""}),
        TextDelta(0, "Hel"),
        TextDelta(0, "lo"),
        BlockStop(0),
        MessageDelta("end_turn", USAGE),
        MessageStop(),
    ]


def test_cached_tokens_are_counted_apart() -> None:
    """As Converse counts them itself (C14)."""
    usage = {**TOLD, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20, "totalTokens": 137}
    reply = reply_of(
        [delta(0, {"text": "a"}), ("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": usage})]
    )

    assert reply.usage == Usage(12, 5, cache_read_input_tokens=100, cache_creation_input_tokens=20)


def test_calls_after_text() -> None:
    """Their names are the client's own again, and an id that is missing is made."""
    sent = [
        delta(0, {"text": "Let me see."}),
        stop(0),
        call(1, name="short"),
        delta(1, {"toolUse": {"input": '{"city":'}}),
        delta(1, {"toolUse": {"input": '"Paris"}'}}),
        stop(1),
        call(2, identifier="", name="other"),
        stop(2),
        *ended("tool_use"),
    ]

    events = events_of(sent, expected(tool_names={"short": "the long name"}))

    assert events[1:] == [
        BlockStart(0, {"type": "text", "text": ""}),
        TextDelta(0, "Let me see."),
        BlockStop(0),
        BlockStart(1, {"type": "tool_use", "id": "t1", "name": "the long name", "input": {}}),
        InputJsonDelta(1, '{"city":'),
        InputJsonDelta(1, '"Paris"}'),
        BlockStop(1),
        BlockStart(2, {"type": "tool_use", "id": "toolu_1", "name": "other", "input": {}}),
        BlockStop(2),
        MessageDelta("tool_use", USAGE),
        MessageStop(),
    ]


@pytest.mark.parametrize("reason", ["tool_use", "end_turn"])
def test_a_reply_with_calls_ends_in_tool_use_and_one_without_does_not(reason: str) -> None:
    """Whatever the model's server says: clients go by it."""
    assert reply_of([call(0), stop(0), *ended(reason)]).stop_reason == "tool_use"
    assert reply_of([delta(0, {"text": "a"}), *ended(reason)]).stop_reason == "end_turn"


def test_thinking_gets_our_signature_and_goes_before_the_text() -> None:
    """Whether or not the block's end is told (C15)."""
    sent = [
        delta(0, {"reasoningContent": {"text": "H"}}),
        delta(0, {"reasoningContent": {"text": "m."}}),
        delta(0, {"reasoningContent": {"signature": "theirs"}}),
        delta(1, {"text": "Yes"}),
        *ended("end_turn"),
    ]

    assert events_of(sent)[1:6] == [
        BlockStart(0, {"type": "thinking", "thinking": "", "signature": ""}),
        ThinkingDelta(0, "H"),
        ThinkingDelta(0, "m."),
        SignatureDelta(0, "signed Hm."),
        BlockStop(0),
    ]


def test_thinking_before_a_call_and_at_the_end_is_signed_too() -> None:
    """Each piece by itself."""
    sent = [
        delta(0, {"reasoningContent": {"text": "A"}}),
        call(1),
        stop(1),
        delta(2, {"reasoningContent": {"text": "B"}}),
        *ended("tool_use"),
    ]

    signatures = [block.get("signature") for block in reply_of(sent).content]

    assert signatures == ["signed A", None, "signed B"]


def test_a_model_that_signs_itself_keeps_its_signatures() -> None:
    """And what it redacted."""
    sent = [
        delta(0, {"reasoningContent": {"text": "Hm."}}),
        delta(0, {"reasoningContent": {"signature": "theirs"}}),
        stop(0),
        delta(1, {"reasoningContent": {"redactedContent": "eHl6"}}),
        stop(1),
        delta(2, {"text": "Yes"}),
        *ended("end_turn"),
    ]

    reply = reply_of(sent, expected(sign=None))

    assert reply.content == (
        {"type": "thinking", "thinking": "Hm.", "signature": "theirs"},
        {"type": "redacted_thinking", "data": "eHl6"},
        {"type": "text", "text": "Yes"},
    )


@pytest.mark.parametrize(
    ("told", "reason", "explanation"),
    [
        ("max_tokens", "max_tokens", None),
        ("model_context_window_exceeded", "model_context_window_exceeded", None),
        ("guardrail_intervened", "refusal", "A guardrail intervened."),
        ("content_filtered", "refusal", "The content was filtered."),
    ],
)
def test_reasons_to_stop(told: str, reason: str, explanation: str | None) -> None:
    """Each has its counterpart; a filter's has details."""
    reply = reply_of([delta(0, {"text": "a"}), *ended(told)])

    details = None if explanation is None else {"type": "refusal", "category": None, "explanation": explanation}
    assert (reply.stop_reason, reply.stop_details) == (reason, details)


@pytest.mark.parametrize("told", ["malformed_tool_use", "malformed_model_output", "something_new"])
def test_a_reason_that_means_no_whole_reply_is_an_error(told: str) -> None:
    """Never an invented end_turn (C28)."""
    with pytest.raises(UpstreamFailed):
        events_of([delta(0, {"text": "a"}), *ended(told)])


def test_a_stream_without_its_end_is_an_error() -> None:
    """Even where its usage was told."""
    with pytest.raises(UpstreamFailed):
        events_of([delta(0, {"text": "a"}), stop(0), METADATA])


def test_an_end_without_usage_is_an_end() -> None:
    """Our own estimate stands in for it (C27)."""
    reply = reply_of([delta(0, {"text": "a"}), ("messageStop", {"stopReason": "end_turn"})])

    assert reply.usage == ESTIMATE


def test_a_stop_sequence_is_cut_off_wherever_it_stands() -> None:
    """Across pieces; what follows is not read any more (C12)."""
    stream = ConverseStream(expected(stop_sequences=("STOP", "END")))
    for name, payload in [delta(0, {"text": "one ST"}), delta(0, {"text": "OP two"})]:
        stream.feed(name, payload)

    later = stream.feed(*delta(0, {"text": " three"}))
    end = stream.finish(ESTIMATE)

    assert (stream.done, later) == (True, [])
    assert end[-2:] == [MessageDelta("stop_sequence", ESTIMATE, "STOP"), MessageStop()]


def test_the_one_sequence_that_was_sent_is_the_one_it_stopped_at() -> None:
    """Bedrock leaves it out of the text and says only that there was one; elsewhere the model had one of its own."""
    sent = [delta(0, {"text": "one EN"}), *ended("stop_sequence")]

    one = reply_of(sent, expected(stop_sequences=("END",)))
    none = reply_of(sent)

    assert (one.content, one.stop_reason, one.stop_sequence) == (
        ({"type": "text", "text": "one EN"},),
        "stop_sequence",
        "END",
    )
    assert (none.stop_reason, none.stop_sequence) == ("end_turn", None)


def test_held_text_comes_out_before_what_follows_it() -> None:
    """The beginning of a stop sequence that was none."""
    sent = [
        delta(0, {"text": "a EN"}),
        delta(1, {"reasoningContent": {"text": "Hm."}}),
        delta(2, {"text": "b EN"}),
        call(3),
        stop(3),
        *ended("tool_use"),
    ]

    kinds = [(block["type"], block.get("text")) for block in reply_of(sent, expected(stop_sequences=("END",))).content]

    assert kinds == [("text", "a EN"), ("thinking", None), ("text", "b EN"), ("tool_use", None)]


def test_a_reply_does_not_begin_with_the_prefills_space() -> None:
    """Once only (C46)."""
    reply = reply_of([delta(0, {"text": " 4"}), delta(0, {"text": " 2"}), *ended("end_turn")], expected(space=" "))

    assert reply.content == ({"type": "text", "text": "4 2"},)


def test_calls_of_the_output_tool_are_the_text() -> None:
    """Others beside them stay calls."""
    sent = [
        call(0, name=OUTPUT_TOOL),
        delta(0, {"toolUse": {"input": '{"a":'}}),
        delta(0, {"toolUse": {"input": "1}"}}),
        stop(0),
        *ended("tool_use"),
    ]

    reply = reply_of(sent, expected(output_tool=True))

    assert (reply.content, reply.stop_reason) == (({"type": "text", "text": '{"a":1}'},), "end_turn")


OUTPUT = [call(1, name=OUTPUT_TOOL), delta(1, {"toolUse": {"input": '{"a":1}'}}), stop(1)]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ([delta(0, {"text": "Here it is:"}), stop(0), *OUTPUT, delta(2, {"text": "Done."})], '{"a":1}'),
        ([*OUTPUT, call(2, "t2", OUTPUT_TOOL), delta(2, {"toolUse": {"input": '{"a":2}'}})], '{"a":1}'),
        ([call(1, name=OUTPUT_TOOL), delta(1, {"toolUse": {"input": ""}}), stop(1)], "{}"),
        ([call(1, name=OUTPUT_TOOL)], "{}"),
        ([delta(0, {"text": '{"a":'}), delta(0, {"text": "3}"})], '{"a":3}'),
    ],
)
def test_the_first_call_of_the_output_tool_is_all_the_text(sent: list[Sent], text: str) -> None:
    """Words beside it would spoil the value; without a call they are the reply."""
    assert reply_of([*sent, *ended("tool_use")], expected(output_tool=True)).content == (
        {"type": "text", "text": text},
    )


def test_words_before_a_call_of_the_clients_stay_where_an_output_tool_is() -> None:
    """The model chose to call first."""
    sent = [delta(0, {"text": "Let me see."}), call(1), delta(1, {"toolUse": {"input": "{}"}}), *ended("tool_use")]

    reply = reply_of(sent, expected(output_tool=True))

    assert (reply.content, reply.stop_reason) == (
        (
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}},
        ),
        "tool_use",
    )


@pytest.mark.parametrize("then", [[call(1), delta(1, {"toolUse": {"input": "{}"}})], []])
def test_a_stop_sequence_in_the_words_beside_an_output_tool_ends_the_reply(then: list[Sent]) -> None:
    """What comes behind it was not to be said (C12)."""
    sent = [delta(0, {"text": "a END b"}), *then, *ended("tool_use")]

    reply = reply_of(sent, expected(output_tool=True, stop_sequences=("END", "X")))

    assert (reply.content, reply.stop_sequence) == (({"type": "text", "text": "a "},), "END")


@pytest.mark.parametrize("content", [{}, {"citation": {"title": "T"}}, {"text": ""}])
def test_events_that_say_nothing_become_nothing(content: Mapping[str, object]) -> None:
    """We ask for no citations."""
    sent = [
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {}}),
        delta(0, content),
        ("news", {}),
        *ended("end_turn"),
    ]

    assert events_of(sent) == [MessageStart(Usage(1)), MessageDelta("end_turn", USAGE), MessageStop()]


@pytest.mark.parametrize(
    "sent",
    [
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}),
        delta(0, {"image": {"source": {"bytes": "AA=="}}}),
        delta(0, {"toolUse": {"input": "{}"}}),
        delta(0, {"toolResult": [{"text": "x"}]}),
    ],
)
def test_content_without_a_place_in_a_message_is_an_error(sent: Sent) -> None:
    """Lossless or loud (C04)."""
    with pytest.raises(UpstreamFailed):
        events_of([sent, *ended("end_turn")])


def test_malformed_arguments_are_an_error() -> None:
    """Not a broken block (C22)."""
    with pytest.raises(UpstreamFailed):
        events_of([call(0), delta(0, {"toolUse": {"input": '{"a":'}}), stop(0), *ended("tool_use")])


CONTENT = [
    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "theirs"}}},
    {"reasoningContent": {"redactedContent": "eHl6"}},
    {"reasoningContent": {"reasoningText": {"text": "So."}}},
    {"text": "Yes"},
    {"citationsContent": {"content": [{"text": ", so"}, {"text": " it is."}], "citations": []}},
    {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Paris"}}},
    {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
]


def whole(content: object, reason: str = "tool_use") -> dict[str, object]:
    """A reply of Converse."""
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": reason, "usage": TOLD, "metrics": {"latencyMs": 7}}


def test_a_whole_reply() -> None:
    """Every kind of block."""
    reply = from_wire(whole(CONTENT), expected(sign=None))

    assert reply == Reply(
        (
            {"type": "thinking", "thinking": "Hm.", "signature": "theirs"},
            {"type": "redacted_thinking", "data": "eHl6"},
            {"type": "thinking", "thinking": "So.", "signature": ""},
            {"type": "text", "text": "Yes, so it is."},
            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
        ),
        "tool_use",
        USAGE,
    )


def test_a_whole_reply_that_a_stop_sequence_cuts_has_its_usage() -> None:
    """The upstream has told it all the same."""
    reply = from_wire(whole([{"text": "one END two"}], "end_turn"), expected(stop_sequences=("END",)))

    assert reply == Reply(({"type": "text", "text": "one "},), "stop_sequence", USAGE, "END")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"output": {}},
        {"output": {"message": {"content": "text"}}},
        whole(["text"]),
        whole([{"video": {}}]),
        whole([{}]),
    ],
)
def test_a_whole_reply_that_is_none_is_an_error(payload: dict[str, object]) -> None:
    """And nothing else."""
    with pytest.raises(UpstreamFailed):
        from_wire(payload, expected())


def test_usage_that_cannot_be_read_counts_as_nothing() -> None:
    """A reply is not lost for it."""
    reply = from_wire({**whole([{"text": "a"}], "end_turn"), "usage": {"inputTokens": "many"}}, expected())

    assert reply.usage == Usage()
