"""Turns on their way to Converse: the system's, a prefill, and thinking that goes back."""

from megallm.messages.calls import Adaptation
from megallm.messages.native.capabilities import GO_ON

from .asking import CALL_TURNS, PNG, SIGNER, WEATHER, call_of
from .converse_asking import IMAGE, ROUTE, USED, WIRE_IMAGE, body_of, told, user, wire_of


def test_system_turns_keep_their_places() -> None:
    """As a user's words between marks, or as they are where the model knows the role (C06)."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "In French."},
        {"role": "system", "content": ""},
        {"role": "user", "content": "Bye"},
    ]

    messages, adaptations = told(turns)
    kept, none = told(turns, takes={"features": {"system_turns": True}})

    assert messages == [user({"text": "Hi"}, {"text": "<system>\nIn French.\n</system>"}, {"text": "Bye"})]
    assert adaptations == (Adaptation("messages.1", "user turn"),)
    assert kept == [
        user({"text": "Hi"}),
        {"role": "system", "content": [{"text": "In French."}]},
        user({"text": "Bye"}),
    ]
    assert none == ()


def test_a_system_turn_that_shows_something_is_the_users_even_in_front() -> None:
    """A system prompt is words alone."""
    turns = [
        {"role": "system", "content": [{"type": "text", "text": "See:"}, IMAGE]},
        {"role": "user", "content": "Hi"},
    ]

    assert told(turns) == (
        [user({"text": "<system>\nSee:\n</system>"}, WIRE_IMAGE, {"text": "Hi"})],
        (Adaptation("messages.0", "user turn"),),
    )


def test_a_prefill_is_continued_or_asked_for_in_words() -> None:
    """Its white space is taken back, since Converse refuses it there (C05, C46)."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is \n"}]

    messages, adaptations = told(turns)
    wire = wire_of(call_of(turns, takes={"features": {"prefill": True}}))

    assert messages == [
        user({"text": "Hi"}),
        {"role": "assistant", "content": [{"text": "The answer is \n"}]},
        user({"text": GO_ON}),
    ]
    assert adaptations == (Adaptation("messages.1", "continued by instruction"),)
    assert body_of(wire)["messages"] == [
        user({"text": "Hi"}),
        {"role": "assistant", "content": [{"text": "The answer is"}]},
    ]
    assert (wire.space, wire.adaptations) == (" \n", ())


def test_a_trailing_turn_without_text_has_no_space() -> None:
    """Where the table lets it be."""
    turns = [*CALL_TURNS]

    wire = wire_of(call_of(turns, tools=[WEATHER], takes={"features": {"prefill": True}}))

    assert (wire.space, body_of(wire)["messages"][-1]) == ("", {"role": "assistant", "content": [USED]})  # type: ignore[index]  # a list


def test_thinking_goes_back_to_the_route_that_produced_it_and_nowhere_else() -> None:
    """By our signature (C15), and only where the model wants it."""
    ours = {"type": "thinking", "thinking": "Hm.", "signature": SIGNER.sign(ROUTE, "Hm.")}
    others = {"type": "thinking", "thinking": "Hm.", "signature": SIGNER.sign("other/model", "Hm.")}
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [ours, others, redacted, {"type": "text", "text": "Yes"}]},
        {"role": "user", "content": "Bye"},
    ]

    wanted, adapted = told(turns, takes={"blocks": {"thinking": "pass"}})
    unwanted, all_adapted = told(turns)

    assert wanted[1]["content"] == [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Yes"}]  # type: ignore[index]  # a list
    assert adapted == (
        Adaptation("messages.1.content.1", "dropped"),
        Adaptation("messages.1.content.2", "dropped"),
    )
    assert unwanted[1]["content"] == [{"text": "Yes"}]  # type: ignore[index]  # a list
    assert all_adapted == tuple(Adaptation(f"messages.1.content.{at}", "dropped") for at in range(3))


def test_a_model_that_signs_itself_gets_its_thinking_as_it_was() -> None:
    """Redacted thinking too."""
    turns = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "text", "text": "Yes"},
            ],
        },
        {"role": "user", "content": "Bye"},
    ]

    messages, adaptations = told(turns, takes={"features": {"native_signatures": True}})

    assert messages[1]["content"] == [  # type: ignore[index]  # a list
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "xyz"}},
        {"text": "Yes"},
    ]
    assert adaptations == ()


def test_a_guess_at_the_input_leaves_out_what_is_no_text() -> None:
    """A picture's letters are not its tokens."""
    plain = wire_of(call_of("Hello"))
    seen = wire_of(call_of([{"type": "text", "text": "Hello"}, IMAGE]))

    assert plain.estimated_tokens == len(plain.body) // 4
    assert seen.estimated_tokens == (len(seen.body) - len(PNG)) // 4
