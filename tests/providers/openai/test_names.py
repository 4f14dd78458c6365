"""Names that a server refuses: shortened, told apart, told back (C20)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.providers.openai.names import ToolNames, short_id

TAKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def test_a_name_that_is_taken_stays() -> None:
    """And needs no way back."""
    names = ToolNames(["get_weather", "a-b", "n" * 64])

    assert [names.sent(name) for name in ("get_weather", "a-b", "n" * 64)] == ["get_weather", "a-b", "n" * 64]
    assert names.known_as() == {}


def test_others_keep_their_beginning_and_get_a_hash() -> None:
    """The same for the same name, in every request: prompt caches live on that."""
    names = ToolNames(["mcp server/read.file", "n" * 65])

    assert names.sent("mcp server/read.file") == "mcp_server_read_file_e3f1097eff"
    assert names.sent("n" * 65) == "n" * 53 + "_1e3fb6d545"
    assert names.known_as() == {
        "mcp_server_read_file_e3f1097eff": "mcp server/read.file",
        "n" * 53 + "_1e3fb6d545": "n" * 65,
    }


def test_a_shortened_name_never_takes_anothers_place() -> None:
    """Not even one that was chosen to be in the way."""
    wanted = "mcp server/read.file"
    in_the_way = ToolNames([wanted]).sent(wanted)

    names = ToolNames([wanted, in_the_way])

    assert names.sent(in_the_way) == in_the_way
    assert names.sent(wanted) not in (in_the_way, wanted)
    assert names.known_as() == {names.sent(wanted): wanted}


def test_a_name_that_was_not_announced_is_a_slip_of_ours() -> None:
    """It would not be told back."""
    with pytest.raises(KeyError):
        ToolNames(["a"]).sent("b")


@given(st.lists(st.text(min_size=1, max_size=80)))
def test_all_names_are_taken_and_told_apart(wanted: list[str]) -> None:
    """Whatever clients invent."""
    names = ToolNames(wanted)

    sent = {name: names.sent(name) for name in wanted}
    assert all(TAKEN.fullmatch(name) for name in sent.values())
    assert len(set(sent.values())) == len(set(wanted))
    assert {names.known_as().get(name, name) for name in sent.values()} == set(wanted)


def test_ids_are_hashed_beyond_the_limit() -> None:
    """None where there is no limit."""
    assert (short_id("a" * 40, 40), short_id("a" * 41, 0)) == ("a" * 40, "a" * 41)
    assert short_id("a" * 41, 40) == "c0f8bd4dbc2b0c03107c1c37913f2a7501f52146"
