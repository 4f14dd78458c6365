"""Counting tokens against a real server: the upstream's count, or an estimate where it has no counter (C40)."""

import pytest
from pydantic_core import to_json

from megallm.catalog.compatibility import TakesTable
from megallm.errors import UpstreamFailed, UpstreamMisconfigured
from megallm.messages.calls import Call
from megallm.messages.requests import TokenCountRequest, parse
from tests.providers.raw_server import answer

from .talking import answering, body_of, call_of, fields_of, run


def test_tokens_are_counted_by_the_upstream() -> None:
    """Without the fields that generation alone has, and as the table wants the rest."""
    body = (
        b'{"model":"asked","max_tokens":5,"stream":true,"system":"Be kind.","temperature":1.0,"stop_sequences":["a"],'
        b'"messages":[{"role":"user","content":"Hi"}],"speed":"fast"}'
    )
    call = Call(parse(body, TokenCountRequest), "up", ("a",), body, takes=TakesTable(fields={"speed": "drop"}).takes())

    tokens, server = run(answering(answer(b'{"input_tokens":12}')), lambda provider: provider.count_tokens(call))

    assert tokens == 12
    assert server.heads[0].startswith("POST /v1/messages/count_tokens HTTP/1.1\r\n")
    assert fields_of(server.heads[0])["anthropic-beta"] == "a"
    messages = [{"role": "user", "content": "Hi"}]
    assert body_of(server) == {"model": "up", "system": "Be kind.", "messages": messages}


@pytest.mark.parametrize("body", [b"{}", b'{"input_tokens":"12"}', b"<html>"])
def test_a_count_that_is_none_is_a_failure(body: bytes) -> None:
    """The next route may know."""
    with pytest.raises(UpstreamFailed):
        run(answering(answer(body)), lambda provider: provider.count_tokens(call_of()))


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"])
def test_a_server_without_a_counter_has_its_tokens_estimated(status: str) -> None:
    """By a real tokenizer, with images by their size (C40)."""
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    message = {"role": "user", "content": [{"type": "text", "text": "How many tokens are these?"}, picture]}
    body = to_json({"model": "asked", "messages": [message]})
    call = Call(parse(body, TokenCountRequest), "up", (), body)

    tokens, _ = run(answering(answer(b"nothing here", status=status)), lambda provider: provider.count_tokens(call))

    text, image, frames = 6, 1600, 4 * 3
    assert tokens == text + image + frames


def test_a_refused_key_is_no_reason_to_estimate() -> None:
    """It is the operator's to mend."""
    with pytest.raises(UpstreamMisconfigured):
        run(answering(answer(b"{}", status="403 Forbidden")), lambda provider: provider.count_tokens(call_of()))
