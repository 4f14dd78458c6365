"""Fields that we do not know: sent, named, or refused, whatever their value (C04)."""

import pytest

from megallm.errors import InvalidRequest

from .asking import adapted, wire_of

NOTHING: list[object] = [None, False, [], {}, {"enabled": False}, {"type": "direct"}]
SOMETHING: list[object] = [0, 0.0, "", True, 1, [0], {"enabled": 0}, {"enabled": False, "more": 1}, {"type": "program"}]


def takes(rule: str) -> dict[str, object]:
    return {"fields": {"seed": rule}}


@pytest.mark.parametrize("value", [*NOTHING, *SOMETHING], ids=repr)
@pytest.mark.parametrize(("rule", "name"), [("pass", "seed"), ("-> random_seed", "random_seed")])
def test_a_field_that_the_server_takes_is_sent_whatever_its_value(rule: str, name: str, value: object) -> None:
    """A seed of 0 is a seed, and false is often not what a server does by itself."""
    wire = wire_of(seed=value, takes=takes(rule))

    assert (repr(wire.body[name]), wire.adaptations) == (repr(value), ())


@pytest.mark.parametrize(
    ("value", "told"),
    [(value, []) for value in NOTHING] + [(value, [("seed", "dropped")]) for value in SOMETHING],
    ids=repr,
)
def test_a_field_that_is_dropped_is_named_if_it_asks_for_something(value: object, told: list[tuple[str, str]]) -> None:
    """0 does."""
    wire = wire_of(seed=value, takes=takes("drop"))

    assert ("seed" in wire.body, adapted(wire)) == (False, told)


@pytest.mark.parametrize("value", NOTHING, ids=repr)
def test_a_field_that_is_refused_may_ask_for_nothing(value: object) -> None:
    """It is left out."""
    wire = wire_of(seed=value, takes=takes("refuse"))

    assert ("seed" in wire.body, wire.adaptations) == (False, ())


@pytest.mark.parametrize("value", SOMETHING, ids=repr)
def test_a_field_that_is_refused_is_named(value: object) -> None:
    """0 is refused like any other value."""
    with pytest.raises(InvalidRequest) as caught:
        wire_of(seed=value, takes=takes("refuse"))

    assert caught.value.param == "seed"


def test_a_zero_in_a_block_is_named() -> None:
    """No server has a place for it."""
    block = {"type": "text", "text": "a", "weight": 0, "citations": None, "cache_control": None}

    assert adapted(wire_of([block])) == [("messages.0.content.0.weight", "dropped")]


def test_text_that_is_no_plain_text_is_named() -> None:
    """A server is not told of kinds of text."""
    source = {"type": "text", "media_type": "text/markdown", "data": "# a"}

    assert adapted(wire_of([{"type": "document", "source": source}])) == [
        ("messages.0.content.0.source.media_type", "dropped")
    ]
