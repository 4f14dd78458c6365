"""The header fields of a call: version, betas, key, whom it is for, and what the operator adds."""

from dataclasses import replace

from megallm.catalog.compatibility import TakesTable, shipped
from megallm.messages.calls import Adaptation
from megallm.providers.anthropic.provider import AnthropicProvider
from tests.providers.raw_server import answer

from .talking import MESSAGE, STREAM, Keys, answering, body_of, call_of, created, events_of, fields_of, run, sse


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
