"""The header that tells what was adapted."""

from megallm.messages.adaptations import MAX_BYTES, header_value
from megallm.messages.calls import Adaptation


def test_names_are_percent_encoded() -> None:
    """They come from the client: a comma, a newline or an umlaut must not break the header (C04)."""
    value = header_value([Adaptation("thinking", "dropped"), Adaptation("a,\r\n=ü", "made shorter")])

    assert value == "thinking=dropped, a%2C%0D%0A%3D%C3%BC=made%20shorter"


def test_a_long_list_ends_with_a_note_that_there_is_more() -> None:
    """1 KB at most."""
    value = header_value([Adaptation(f"field_{number}", "dropped") for number in range(200)])

    assert len(value) <= MAX_BYTES
    assert value.endswith("=dropped, more=omitted")


def test_one_entry_that_is_too_long_leaves_only_the_note() -> None:
    """It is not cut in the middle of a name."""
    assert header_value([Adaptation("x" * 2000, "dropped")]) == "more=omitted"
