"""Keys that the upstream refuses: read anew once, and then the operator's to mend."""

import pytest

from megallm.errors import UpstreamMisconfigured
from megallm.providers.anthropic.provider import AnthropicProvider
from tests.providers.raw_server import answer

from .talking import MESSAGE, Keys, answering, created, failing, fields_of, run


@pytest.mark.parametrize("status", ["401 Who", "403 No"])
def test_a_key_that_was_rotated_is_read_anew_at_once(status: str) -> None:
    """The call goes on with the new one."""
    keys = Keys("old", "new")

    reply, server = run(answering(answer(status=status), answer(MESSAGE)), created, key=keys)

    assert reply.stop_reason == "end_turn"
    assert [fields_of(head)["x-api-key"] for head in server.heads] == ["old", "new"]
    assert keys.forgotten == 1


@pytest.mark.parametrize(("keys", "sent"), [(("only",), ["only"]), (("a", "b", "c"), ["a", "b"])])
def test_a_key_that_stays_refused_is_not_tried_again_and_again(keys: tuple[str, ...], sent: list[str]) -> None:
    """Once more with another key, and not at all with the same."""
    held = Keys(*keys)

    async def use(provider: AnthropicProvider) -> None:
        with pytest.raises(UpstreamMisconfigured):
            await created(provider)

    _, server = run(failing("401 Who"), use, key=held)

    assert [fields_of(head)["x-api-key"] for head in server.heads] == sent
    assert held.forgotten == len(sent)


def test_a_server_without_a_key_that_wants_one_is_not_set_up_right() -> None:
    """There is nothing to forget."""
    with pytest.raises(UpstreamMisconfigured):
        run(failing("401 Who"), created)
