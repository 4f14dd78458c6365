"""Headers that say on whose behalf a request is made: which of them go upstream, and what is told of the others (C04).

Only a server of the Messages API has a use for them; every translation leaves them out, and says so.
"""

from collections.abc import Collection

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import TokenCountRequest

# What the SDK's messages.create sends as headers, beside versions and betas (package anthropic 2.12,
# resources/messages/messages.py: user_profile_id and workspace_id).
CALLER_HEADERS = ("anthropic-user-profile-id", "anthropic-workspace-id")

_NONE: frozenset[str] = frozenset()


def take_headers(
    call: Call[TokenCountRequest], *, of_the_operator: Collection[str] = _NONE
) -> tuple[dict[str, str], tuple[Adaptation, ...]]:
    """Those that go along by the route's table, and the others as dropped.

    *of_the_operator* names headers that are set already, and stay. Raises InvalidRequest for one that is refused.
    """
    taken: dict[str, str] = {}
    told: list[Adaptation] = []
    for name, value in call.headers:
        rule = call.takes.headers.find(name)
        if rule.action == "refuse":
            raise InvalidRequest(f"{name}: this header cannot be sent to this model's provider", param=name)
        sent = rule.to or name
        if rule.action == "drop" or sent in of_the_operator:
            told.append(Adaptation(name, "dropped"))
        else:
            taken[sent] = value
    return taken, tuple(told)


def lost_headers(call: Call[TokenCountRequest]) -> tuple[Adaptation, ...]:
    """All of them as dropped. Raises InvalidRequest for one that the route's table refuses."""
    if not call.headers:
        return ()
    take_headers(call)
    return tuple(Adaptation(name, "dropped") for name, _ in call.headers)
