"""Headers that say on whose behalf a request is made, against the table of its route (C04)."""

import pytest

from megallm.catalog.compatibility import TakesTable
from megallm.errors import InvalidRequest
from megallm.messages.caller_headers import CALLER_HEADERS, lost_headers, take_headers
from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import MessagesRequest

PROFILE, WORKSPACE = CALLER_HEADERS


def call_of(**rules: str) -> Call[MessagesRequest]:
    """A call with both headers, and this table."""
    request = MessagesRequest.model_validate(
        {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
    )
    takes = TakesTable(headers={name.replace("_", "-"): rule for name, rule in rules.items()}).takes()
    return Call(request, "up", takes=takes, headers=((PROFILE, "p1"), (WORKSPACE, "w1")))


def test_without_a_rule_they_go_along() -> None:
    """As all that a native upstream may know."""
    assert take_headers(call_of()) == ({PROFILE: "p1", WORKSPACE: "w1"}, ())


def test_what_is_dropped_is_told_and_what_is_renamed_goes_under_its_new_name() -> None:
    """By the table."""
    call = call_of(anthropic_user_profile_id="-> x-user", anthropic_workspace_id="drop")

    assert take_headers(call) == ({"x-user": "p1"}, (Adaptation(WORKSPACE, "dropped"),))


def test_what_the_operator_has_set_stays() -> None:
    """The caller is told that theirs did not count."""
    taken, told = take_headers(call_of(), of_the_operator=[WORKSPACE])

    assert (taken, told) == ({PROFILE: "p1"}, (Adaptation(WORKSPACE, "dropped"),))


def test_one_that_is_refused_is_named() -> None:
    """On native and translated routes."""
    call = call_of(anthropic_workspace_id="refuse")

    for take in (take_headers, lost_headers):
        with pytest.raises(InvalidRequest, match="this header cannot be sent") as caught:
            take(call)
        assert caught.value.param == WORKSPACE


def test_a_translation_loses_all_of_them_loudly() -> None:
    """Even those that the table lets pass: there is no place for them."""
    assert lost_headers(call_of()) == (Adaptation(PROFILE, "dropped"), Adaptation(WORKSPACE, "dropped"))
