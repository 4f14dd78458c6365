"""What may be renamed, held against what the providers really send: neither side can drift from the other."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic_core import from_json, to_json

from megallm.catalog.compatibility import TakesTable, names, shipped
from megallm.catalog.upstreams import Kind
from megallm.composition.rules import unkept_rule
from megallm.errors import InvalidRequest
from megallm.messages.caller_headers import take_headers
from megallm.messages.compatibility import Takes
from megallm.messages.native.body import native_body
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.converse import wire as converse
from megallm.providers.bedrock.invoke.wire import invoke_body
from megallm.providers.openai.dialect import Dialect
from megallm.providers.openai.wire import to_wire
from tests.composition.block_arrows import BLOCKS, KEPT, RESULTS, TEXT, request_with
from tests.composition.sending import ARROW, MISPLACED, NAMES, REQUEST, SENDERS, call_of, is_sent_as, kind_of, sent

ROOT = Path(__file__).resolve().parents[2]


def fault(sender: str, **sections: dict[str, str]) -> tuple[str, str, str] | None:
    return unkept_rule(*kind_of(sender), TakesTable.model_validate(sections).takes())


@pytest.mark.parametrize("sender", SENDERS)
def test_an_arrow_on_a_field_is_taken_just_where_the_provider_follows_it(sender: str) -> None:
    """Each field that requests can have, and some that nobody knows."""
    misplaced = MISPLACED if sender in ("anthropic", "bedrock") else set()

    followed = {name for name in NAMES if is_sent_as(sender, name)} - misplaced

    assert {name for name in NAMES if fault(sender, fields={name: f"-> {ARROW}"}) is None} == followed


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("action", ["refuse", "drop"])
def test_a_rule_for_a_field_is_taken_just_where_the_provider_reads_it(sender: str, action: str) -> None:
    """One that is not read would leave the field as it is, and nobody would know."""

    def is_read(name: str) -> bool:
        takes = TakesTable.model_validate({"fields": {name: "refuse"}}).takes()
        try:
            sent(sender, REQUEST, takes)
        except InvalidRequest as error:
            return error.param == name
        return False

    fields = set(MessagesRequest.model_fields)

    unread = {name for name in fields if not is_read(name)}

    assert {name for name in fields if fault(sender, fields={name: action})} == unread
    assert [name for name in fields if fault(sender, fields={name: "pass"})] == []


@pytest.mark.parametrize(
    ("sender", "name", "word", "shows"),
    [
        ("bedrock", "output_config.format", "instruction", b"JSON"),
        ("converse", "output_config.format", "tool", b"megallm_write_reply"),
    ],
)
def test_the_word_behind_an_arrow_says_what_becomes_of_a_field(sender: str, name: str, word: str, shows: bytes) -> None:
    """And no other word is taken for it."""
    body = sent(sender, REQUEST, TakesTable(fields={name: f"-> {word}"}).takes())

    assert shows in to_json(body)
    assert fault(sender, fields={name: f"-> {word}"}) is None
    assert fault(sender, fields={name: f"-> {word}s"}) == (
        "fields",
        name,
        f'with a provider of the kind {_said(sender)} it must be "-> {word}"',
    )


def _said(sender: str) -> str:
    return "bedrock with Converse" if sender == "converse" else sender


@pytest.mark.parametrize("sender", SENDERS)
def test_an_arrow_on_a_block_is_taken_just_where_the_provider_follows_it(sender: str) -> None:
    """And only with the words that it knows."""
    kept = KEPT[sender]

    for name, (word, shows) in kept.items():
        rules = {name: f"-> {word}"}
        takes = TakesTable(blocks={"image.url": "-> base64", **rules} if sender == "converse" else rules).takes()
        assert shows in to_json(sent(sender, BLOCKS[name], takes)).decode()
        assert fault(sender, blocks=rules) is None
    assert {name for name in BLOCKS if fault(sender, blocks={name: "-> of/this"}) is None} == set()
    words = ("base64", "file", "text", "beside")
    taken = {name for name in BLOCKS for word in words if fault(sender, blocks={name: f"-> {word}"}) is None}
    assert taken == set(kept)


def test_an_image_of_a_result_goes_beside_it() -> None:
    """Where the arrow of converse's table says so."""
    rules = {"image.url": "-> base64", "tool_result.image": "-> beside"}

    body = sent("converse", RESULTS, TakesTable(blocks=rules).takes())

    assert [list(block) for block in body["messages"][-1]["content"]] == [["toolResult"], ["image"]]


@pytest.mark.parametrize("name", [name for name in BLOCKS if not name.startswith(("tool.", "tool_result."))])
def test_a_native_upstream_would_refuse_every_request_with_a_block_that_has_an_arrow(name: str) -> None:
    """So that the catalogue is refused in their place."""
    with pytest.raises(InvalidRequest):
        sent("anthropic", BLOCKS[name], TakesTable(blocks={name: "-> text"}).takes())


def test_an_arrow_on_a_beta_is_taken_just_where_betas_go_along() -> None:
    """In Converse there is no place for one."""
    rules = {"a-2026-01-01": "-> b-2026-01-01"}
    call = call_of(request_with(TEXT), TakesTable(betas=rules).takes(), ("a-2026-01-01",))
    dialect = Dialect()

    wires = {
        "anthropic": native_body(call, model="up").betas,
        "bedrock": tuple(from_json(invoke_body(call).body)["anthropic_beta"]),
        "converse": tuple(
            from_json(converse.to_wire(call, lambda signature, thinking: False).body).get("anthropic_beta", ())
        ),
        "openai": to_wire(call, dialect, route="", route_of=lambda signature, thinking: None, images={}).betas,
    }

    assert {sender for sender, betas in wires.items() if betas == ("b-2026-01-01",)} == {
        sender for sender in SENDERS if fault(sender, betas=rules) is None
    }
    assert fault("openai", betas={"a-2026-01-01": "-> b, c"}) == (
        "betas",
        "a-2026-01-01",
        "with a provider of the kind openai it must be an arrow and another flag",
    )


@pytest.mark.parametrize(
    ("kind", "rule", "reason"),
    [
        ("anthropic", {"x-foo": "pass"}, "there are rules for anthropic-user-profile-id and anthropic-workspace-id al"),
        ("anthropic", {"Anthropic-Workspace-Id": "pass"}, "there are rules for "),
        ("anthropic", {"anthropic-workspace-id": "-> x y"}, "with a provider of the kind anthropic it must be an arro"),
        ("openai", {"anthropic-workspace-id": "pass"}, "a provider of the kind openai passes no headers of the caller"),
        ("openai", {"*": "pass"}, "a provider of the kind openai passes no headers of the caller"),
        ("bedrock", {"anthropic-workspace-id": "-> x"}, "a provider of the kind bedrock cannot send this as something"),
    ],
)
def test_a_header_that_goes_nowhere_is_refused(kind: str, rule: dict[str, str], reason: str) -> None:
    """There are two that a caller can send, and one kind of provider that passes them."""
    found = fault(kind, headers=rule)

    assert found is not None
    assert found[:2] == ("headers", next(iter(rule)))
    assert found[2].startswith(reason)


def test_headers_that_the_provider_passes_are_taken() -> None:
    """Under another name too."""
    rules = {"anthropic-workspace-id": "-> x-workspace", "anthropic-user-*": "pass", "*": "drop"}

    taken, _ = take_headers(call_of(request_with(TEXT), TakesTable(headers=rules).takes()))

    assert taken == {"x-workspace": "v", "anthropic-user-profile-id": "v"}
    assert fault("anthropic", headers=rules) is None
    assert fault("openai", headers={"*": "drop", "anthropic-workspace-id": "refuse"}) is None


@pytest.mark.parametrize(
    ("sender", "name", "target", "is_taken"),
    [
        ("openai", "top_k", "messages", False),
        ("openai", "metadata.user_id", "metadata", True),
        ("openai", "top_k", "a.b", False),
        ("openai", "top_k", "model_k", True),
        ("openai", "*", "a", False),
        ("anthropic", "speed", "a.b", True),
        ("anthropic", "speed", "output_config.speed", True),
        ("anthropic", "speed", "temperature.speed", False),
        ("anthropic", "speed", "tools.speed", False),
        ("anthropic", "speed", "messages", False),
        ("anthropic", "speed", "modelling", True),
        ("anthropic", "speed", "a..b", False),
        ("converse", "top_k", "inferenceConfig.topK", True),
        ("converse", "top_k", "inferenceConfig.", False),
        ("converse", "speed_*", "a", False),
    ],
)
def test_a_field_can_only_go_where_there_is_room(sender: str, name: str, target: str, is_taken: bool) -> None:
    """Not over the request's own members, and not into a number or a list."""
    assert (fault(sender, fields={name: f"-> {target}"}) is None) == is_taken


@pytest.mark.parametrize("section", ["fields", "betas", "blocks"])
def test_the_embedded_model_keeps_to_no_rules(section: str) -> None:
    """Nothing reads them there."""
    found = unkept_rule("embedded", {}, TakesTable.model_validate({section: {"top_k": "refuse"}}).takes())

    assert found == (section, "top_k", "a provider of the kind embedded keeps to no such rules")


@pytest.mark.parametrize("name", sorted(names()))
def test_every_shipped_table_has_rules_that_are_kept(name: str) -> None:
    """A table of a kind that is not named so is for chat completions."""
    kinds: Mapping[str, Kind] = {"anthropic": "anthropic", "bedrock": "bedrock", "converse": "bedrock"}
    takes = shipped(name)

    assert unkept_rule(kinds.get(name, "openai"), takes.features, takes) is None


def _row(sender: str) -> str:
    """Of the documentation's table of what can be sent as something else."""
    _, _, section = (ROOT / "docs" / "catalogue.md").read_text().partition("### What can be sent as something else")
    beginning = {"converse": '| `bedrock` with `table = "converse"`'}.get(sender, f"| `{sender}` |")
    (row,) = [line for line in section.splitlines() if line.startswith(beginning)]
    return row


@pytest.mark.parametrize("sender", SENDERS)
def test_the_documentation_lists_what_can_be_sent_as_something_else(sender: str) -> None:
    """By name, but for what is said of many at once."""
    row = _row(sender)
    native = sender in ("anthropic", "bedrock")
    fields = [] if native else [name for name in NAMES if fault(sender, fields={name: f"-> {ARROW}"}) is None]
    unknown = {"mcp_servers", "speed", "output_config.verbosity", "output_format", "service_tier"}
    blocks = {name: word for name, (word, _) in KEPT[sender].items() if not name.startswith("tool.")}

    assert [name for name in fields if name not in unknown and f"`{name}`" not in row and "tools." not in name] == []
    assert [name for name, word in blocks.items() if f"`{name}`" not in row or f"`-> {word}`" not in row] == []


def test_every_sender_can_send_the_request_without_rules() -> None:
    """Or the tests above would show nothing."""
    tell: Callable[[str], bool] = lambda sender: bool(sent(sender, REQUEST, Takes()))  # noqa: E731  one word of a test

    assert all(map(tell, SENDERS))
