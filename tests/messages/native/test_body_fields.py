"""Fields of a body as the route's table takes them: passed, dropped, moved or refused."""

import pytest
from pydantic_core import from_json

from megallm.errors import InvalidRequest

from .bodies import body_of, changes, request, table


def test_fields_are_dropped_renamed_and_passed_by_the_table() -> None:
    """Their text stays as it was; a name for all others does not mean what makes a request."""
    body = (
        request()[:-1] + b',"temperature":1e0,"top_k" : 7,"speed":"fast","context_management":{"a":1.0},"top_p":null}'
    )
    takes = table(fields={"*": "drop", "temperature": "pass", "top_k": "-> sampling.k", "context_*": "pass"})

    got = body_of(body, takes=takes)

    assert got.body == request()[:-1] + b',"temperature":1e0,"context_management":{"a":1.0},"sampling":{"k":7}}'
    assert changes(got) == [("speed", "dropped")]


def test_fields_within_fields_go_by_their_path() -> None:
    """In objects, and in each object of a list."""
    tools = [
        {"name": "a", "input_schema": {"strict": 1}, "strict": True},
        {"name": "b", "input_schema": {}, "strict": None},
    ]
    body = request(
        output_config={"effort": "high", "new": 1, "old": None},
        context_management={"edits": {"x": 1, "y": 2}},
        tools=tools,
        odd=[1],
    )
    takes = table(
        fields={
            "output_config.effort": "drop",
            "context_management.edits.x": "drop",
            "tools.strict": "drop",
            "odd.a": "drop",
            "speed.a": "drop",
        }
    )

    got = body_of(body, takes=takes)

    expected = {
        "output_config": {"new": 1, "old": None},
        "context_management": {"edits": {"y": 2}},
        "tools": [{"name": "a", "input_schema": {"strict": 1}}, {"name": "b", "input_schema": {}}],
        "odd": [1],
    }
    assert from_json(got.body) == from_json(request(**expected))
    assert changes(got) == [
        ("tools.0.strict", "dropped"),
        ("output_config.effort", "dropped"),
        ("context_management.edits.x", "dropped"),
    ]


def test_a_field_may_have_any_name() -> None:
    """Also one that objects of ours have for something else."""
    got = body_of(request(copy={"json": 1}, dict=None), takes=table(fields={"copy.json": "drop", "dict": "drop"}))

    assert (from_json(got.body), changes(got)) == (from_json(request(copy={})), [("copy.json", "dropped")])


def test_nothing_within_a_dropped_field_is_looked_at() -> None:
    """It is gone."""
    takes = table(fields={"output_config": "drop", "output_config.effort": "refuse"})

    got = body_of(request(output_config={"effort": "high"}), takes=takes)

    assert (from_json(got.body), changes(got)) == (from_json(request()), [("output_config", "dropped")])


@pytest.mark.parametrize("action", ["drop", "refuse"])
@pytest.mark.parametrize("nothing", [None, [], {}, False])
def test_a_field_that_asks_for_nothing_is_left_out_without_a_word(action: str, nothing: object) -> None:
    """Nothing is lost with it; the upstream may refuse its very name."""
    got = body_of(request(mcp_servers=nothing), takes=table(fields={"mcp_servers": action}))

    assert ("mcp_servers" in from_json(got.body), changes(got)) == (False, [])


def test_a_field_that_is_refused_is_named() -> None:
    """With its whole path."""
    with pytest.raises(InvalidRequest) as caught:
        body_of(request(output_config={"effort": "high"}), takes=table(fields={"output_config.effort": "refuse"}))

    assert caught.value.param == "output_config.effort"


def test_a_part_of_what_is_removed_cannot_be_moved() -> None:
    """The place that a field would move to is dropped itself."""
    body = request(top_k=7, sampling={"a": 1})
    takes = table(fields={"sampling": "drop", "top_k": "-> sampling.k"})

    got = body_of(body, takes=takes)

    assert (from_json(got.body), changes(got)) == (from_json(request()), [("sampling", "dropped")])
