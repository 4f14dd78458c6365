"""The anthropic provider against a real server: what it sends, and what it makes of whole answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from pydantic_core import from_json, to_json

from megallm.catalog.compatibility import TakesTable, shipped
from megallm.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import Reply, Usage
from megallm.messages.requests import TokenCountRequest, parse
from megallm.providers.anthropic.provider import AnthropicProvider
from tests.providers.raw_server import Connection, Script, answer

from .talking import (
    MESSAGE,
    START,
    STREAM,
    Keys,
    answering,
    body_of,
    call_of,
    events_of,
    failing,
    fields_of,
    run,
    sse,
    talking,
)

Use = Callable[[AnthropicProvider], Awaitable[object]]
SAID: dict[str, object] = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "Basic house/secret and house/secret are on",
        "details": {"error_code": "odd", "seen": ["house/secret"]},
    },
}


async def created(provider: AnthropicProvider) -> Reply:
    return await (await provider.prepare(call_of())).create()


def test_a_whole_reply_is_the_upstreams() -> None:
    """Content, reason and figures; the figures are there to be settled."""

    async def use(provider: AnthropicProvider) -> tuple[Reply, Usage | None, Usage | None]:
        prepared = await provider.prepare(call_of())
        before = prepared.usage
        return await prepared.create(), before, prepared.usage

    (reply, before, after), server = run(answering(answer(MESSAGE)), use)

    usage = Usage(3, 2, native={"input_tokens": 3, "output_tokens": 2})
    assert reply == Reply(({"type": "text", "text": "Hi"},), "end_turn", usage, native=from_json(MESSAGE))
    assert (before, after) == (None, usage)
    assert server.heads[0].split("\r\n")[0] == "POST /v1/messages HTTP/1.1"
    assert body_of(server) == {"model": "up", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


def test_a_call_carries_version_betas_and_key() -> None:
    """And what the operator wants it to carry; a stream is asked for as one."""
    takes = TakesTable(betas={"c": "drop"}).takes()

    async def use(provider: AnthropicProvider) -> tuple[Adaptation, ...]:
        prepared = await provider.prepare(call_of(takes, betas=("a", "c", "b")))
        await prepared.create()
        return prepared.adaptations

    adaptations, server = run(answering(answer(MESSAGE)), use, key=Keys("secret"), headers={"X-Team": "blue"})

    fields = fields_of(server.heads[0])
    assert {name: fields.get(name) for name in EXPECTED_FIELDS} == EXPECTED_FIELDS
    assert adaptations == (Adaptation("anthropic-beta.c", "dropped"),)


EXPECTED_FIELDS = {
    "content-type": "application/json",
    "accept": "application/json",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "a,b",
    "x-api-key": "secret",
    "x-team": "blue",
    "authorization": None,
}


def test_a_call_carries_whom_it_is_for() -> None:
    """As the table that ships says: the profile goes along, the workspace is the operator's to choose (C04)."""
    headers = (("anthropic-user-profile-id", "uprof_1"), ("anthropic-workspace-id", "wrkspc_1"))

    async def use(provider: AnthropicProvider) -> tuple[Adaptation, ...]:
        prepared = await provider.prepare(call_of(shipped("anthropic"), headers=headers))
        await prepared.create()
        return prepared.adaptations

    adaptations, server = run(answering(answer(MESSAGE)), use)

    fields = fields_of(server.heads[0])
    assert (fields["anthropic-user-profile-id"], fields.get("anthropic-workspace-id")) == ("uprof_1", None)
    assert adaptations == (Adaptation("anthropic-workspace-id", "dropped"),)


def test_a_header_of_the_operators_stands_over_the_callers() -> None:
    """Whichever way the upstream is asked."""
    call = call_of(headers=(("anthropic-user-profile-id", "uprof_1"), ("anthropic-workspace-id", "wrkspc_1")))

    async def use(provider: AnthropicProvider) -> None:
        await (await provider.prepare(call)).create()
        await provider.count_tokens(call)
        await events_of(provider, call)

    answers = (answer(MESSAGE), answer(b'{"input_tokens":12}'), sse(STREAM))
    _, server = run(answering(*answers), use, headers={"Anthropic-Workspace-Id": "wrkspc_of_the_house"})

    sent = [fields_of(head) for head in server.heads]
    assert [(fields["anthropic-user-profile-id"], fields["anthropic-workspace-id"]) for fields in sent] == [
        ("uprof_1", "wrkspc_of_the_house")
    ] * 3


def test_a_key_may_go_as_a_bearer_token() -> None:
    """Where the operator says so; and its betas go with the caller's, its version over ours."""

    async def use(provider: AnthropicProvider) -> None:
        await (await provider.prepare(call_of(betas=("b",)))).create()

    headers = {"Anthropic-Beta": "always", "anthropic-version": "2026-10-21"}
    _, server = run(answering(answer(MESSAGE)), use, key=Keys("s"), auth_header="Authorization", headers=headers)

    fields = fields_of(server.heads[0])
    assert (fields["authorization"], fields["anthropic-beta"], fields["anthropic-version"]) == (
        "Bearer s",
        "always,b",
        "2026-10-21",
    )
    assert "x-api-key" not in fields


def test_a_server_without_a_key_gets_none() -> None:
    """And no empty list of betas."""
    _, server = run(answering(answer(MESSAGE)), created)

    assert not fields_of(server.heads[0]).keys() & {"x-api-key", "authorization", "anthropic-beta"}


def test_the_table_may_name_another_version() -> None:
    """For an upstream that no longer takes the older one."""

    async def use(provider: AnthropicProvider) -> None:
        takes = TakesTable(features={"anthropic_version": "2026-10-21"}).takes()
        await (await provider.prepare(call_of(takes))).create()

    _, server = run(answering(answer(MESSAGE)), use)

    assert fields_of(server.heads[0])["anthropic-version"] == "2026-10-21"


def test_samplers_of_clients_that_speak_the_newer_version_are_adapted() -> None:
    """They are documented, and newer models refuse them (C02)."""

    async def use(provider: AnthropicProvider) -> tuple[Adaptation, ...]:
        call = replace(call_of(shipped("anthropic"), temperature=0.5, top_k=3), version="2026-10-21")
        prepared = await provider.prepare(call)
        await prepared.create()
        return prepared.adaptations

    adaptations, server = run(answering(answer(MESSAGE)), use)

    assert adaptations == (Adaptation("temperature", "dropped"), Adaptation("top_k", "dropped"))
    assert not body_of(server).keys() & {"temperature", "top_k"}
    assert fields_of(server.heads[0])["anthropic-version"] == "2023-06-01"


def test_a_call_is_sent_as_it_is_used() -> None:
    """An item of a batch may ask for a stream, and gets a whole reply; the other way round too."""

    async def use(provider: AnthropicProvider) -> None:
        await (await provider.prepare(call_of(stream=True))).create()
        await events_of(provider, call_of())

    _, server = run(answering(answer(MESSAGE), sse(STREAM)), use)

    bodies = [from_json(body) for connection in server.connections for body in connection.bodies]
    assert [body["stream"] for body in bodies] == [False, True]


def test_a_call_may_be_sent_again_after_it_failed() -> None:
    """A retry begins anew, its figures too."""

    async def use(provider: AnthropicProvider) -> tuple[Usage | None, Reply]:
        prepared = await provider.prepare(call_of())
        with pytest.raises(UpstreamOverloaded):
            await prepared.create()
        return prepared.usage, await prepared.create()

    (usage, reply), _ = run(answering(answer(status="529 Overloaded"), answer(MESSAGE)), use)

    assert (usage, reply.stop_reason) == (None, "end_turn")


LIMITED = "The model's provider is limiting requests; send it again later"  # its own text names the account


def error(kind: str, message: str = "Because.") -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}}


@pytest.mark.parametrize(
    ("status", "body", "expected", "message"),
    [
        ("400 Bad Request", error("invalid_request_error"), InvalidRequest, "Because."),
        ("413 Too Large", error("request_too_large"), RequestTooLarge, "Because."),
        ("413 Too Large", b"<html>", RequestTooLarge, "The model's provider refused the request"),
        ("429 Slow Down", error("rate_limit_error"), RateLimited, LIMITED),
        ("429 Slow Down", b"<html>", RateLimited, LIMITED),
        ("401 Who", error("authentication_error"), UpstreamMisconfigured, None),
        ("403 No", error("invalid_request_error"), UpstreamMisconfigured, None),
        ("402 Pay", error("billing_error"), UpstreamMisconfigured, None),
        ("404 Where", error("not_found_error", "model: up"), UpstreamMisconfigured, None),
        ("404 Where", error("not_found_error", "File not found: file_0123"), NotFound, "File not found: file_0123"),
        ("404 Where", b"<html>", UpstreamMisconfigured, None),
        ("302 Elsewhere", b"", UpstreamMisconfigured, None),
        ("500 Oops", error("api_error"), UpstreamFailed, None),
        ("500 Oops", error("overloaded_error"), UpstreamOverloaded, None),
        ("502 Oops", b"<html>", UpstreamFailed, None),
        ("503 Busy", {"error": {"type": "unavailable_error", "message": "Loading"}}, UpstreamOverloaded, None),
        ("504 Late", b"", UpstreamTimedOut, None),
        ("529 Busy", error("overloaded_error"), UpstreamOverloaded, None),
        ("400 Bad Request", b"<html>", UpstreamFailed, None),
        ("422 Odd", b'{"detail":"x"}', UpstreamFailed, None),
        ("422 Odd", {"error": {"message": "Because."}}, InvalidRequest, "Because."),
        ("200 OK", b"<html>", UpstreamFailed, None),
        ("200 OK", error("overloaded_error"), UpstreamOverloaded, None),
        ("204 Nothing", b"", UpstreamFailed, None),
    ],
)
def test_each_refusal_is_what_the_contract_makes_of_it(
    status: str, body: bytes | dict[str, object], expected: type[GatewayError], message: str | None
) -> None:
    """C32, for whole replies and for streams; the text reaches the caller only where it is the caller's business."""

    async def use(provider: AnthropicProvider) -> list[GatewayError]:
        errors = []
        for ask in (created, events_of):
            with pytest.raises(GatewayError) as caught:
                await ask(provider)
            errors.append(caught.value)
        return errors

    errors, _ = run(failing(status, body), use, key=Keys("key"))

    whole, streamed = errors
    assert type(whole) is expected
    assert "Because." not in whole.message or message is not None
    assert message in (None, whole.message)
    if not status.startswith("200"):
        assert (type(streamed), streamed.message) == (expected, whole.message)


def test_a_limit_of_the_upstream_says_when_to_come_back() -> None:
    """Its rate headers are kept, on a 429 and on a 529."""
    rates = {"retry_after": "7", "anthropic_ratelimit_requests_remaining": "0", "x_secret": "s"}
    kept = {"retry-after": "7", "anthropic-ratelimit-requests-remaining": "0"}

    for status, kind in (("429 Slow Down", "rate_limit_error"), ("529 Busy", "overloaded_error")):
        with pytest.raises(GatewayError) as caught:
            run(failing(status, error(kind), **rates), created)
        assert caught.value.headers == kept


def test_the_text_for_a_prompt_that_is_too_long_passes_as_it_is() -> None:
    """Clients look for it (C33)."""
    text = "prompt is too long: 200001 tokens > 200000 maximum"

    with pytest.raises(InvalidRequest) as caught:
        run(failing("400 Bad Request", error("invalid_request_error", text)), created)

    assert caught.value.message == text


def test_a_code_of_the_callers_error_is_kept() -> None:
    """SDKs choose their exception class by it."""
    details = {"error_code": "tool_name_conflict"}
    body: dict[str, object] = {"error": {"type": "invalid_request_error", "message": "x", "details": details}}

    with pytest.raises(InvalidRequest) as caught:
        run(failing("400 Bad Request", body), created)

    assert caught.value.details == details


def test_a_key_that_the_server_repeats_does_not_reach_the_caller() -> None:
    """Not even in the text of a bad request."""
    body = error("invalid_request_error", "the header x-api-key: secret123 is odd")

    with pytest.raises(InvalidRequest) as caught:
        run(failing("400 Bad Request", body), created, key=Keys("secret123"))

    assert caught.value.message == "the header x-api-key: *** is odd"


@pytest.mark.parametrize(
    ("script", "use"),
    [
        (failing("400 Bad Request", SAID), created),
        (answering(answer(to_json(SAID).replace(b"/", b"\\/"))), created),
        (answering(sse(b"event: error\ndata: %b\n\n" % to_json(SAID))), events_of),
        (answering(sse(START + b"data: %b\n\n" % to_json(SAID))), events_of),
    ],
    ids=["status", "whole", "stream", "later in a stream"],
)
def test_nor_does_what_the_operator_wrote_into_its_headers(script: Script, use: Use) -> None:
    """A key of a proxy between us and the model, say; whichever way the error comes."""
    with pytest.raises(InvalidRequest) as caught:
        run(script, use, headers={"X-Proxy-Auth": "Basic house/secret", "X-Flag": "on"})

    assert caught.value.message == "*** and *** are on"
    assert caught.value.details == {"error_code": "odd", "seen": ["***"]}


def test_a_whole_reply_that_repeats_its_prefill_loses_it() -> None:
    """Where the table says that the server does so (C05)."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "H"}]
    call = call_of(TakesTable(features={"repeats_prefill": True}).takes(), messages=turns)

    async def use(provider: AnthropicProvider) -> Reply:
        return await (await provider.prepare(call)).create()

    reply, _ = run(answering(answer(MESSAGE)), use)

    assert reply.content == ({"type": "text", "text": "i"},)


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


def test_a_server_that_cannot_be_reached_is_a_failure() -> None:
    """Nobody listens there."""

    async def use(provider: AnthropicProvider) -> None:
        with pytest.raises(UpstreamFailed):
            await created(provider)

    run(answering(b""), use, base_url="http://127.0.0.1:9")


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    """Half a message is none."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(MESSAGE)[:-9])

    async def use(provider: AnthropicProvider) -> None:
        with pytest.raises(UpstreamFailed):
            await created(provider)

    run(script, use)


def test_cancelling_a_call_ends_it_upstream() -> None:
    """At once; the server sees the connection go."""
    there, left = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        there.set()
        await connection.gone()
        left.set()

    async def talk() -> None:
        async with talking(script) as (provider, _):
            task = asyncio.create_task(created(provider))
            await there.wait()
            task.cancel()
            await asyncio.wait_for(left.wait(), 60)

    asyncio.run(talk())


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


def test_the_provider_has_nothing_to_close() -> None:
    """Connections belong to whoever made them."""
    _, server = run(answering(answer(MESSAGE)), lambda provider: provider.aclose())

    assert server.heads == []
