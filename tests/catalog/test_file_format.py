"""The catalogue file: routes and tables as they are resolved, and what is refused with file, line and reason."""

from pathlib import Path

import pytest

from megallm.catalog.compatibility import names, shipped
from megallm.catalog.file_format import BrokenCatalog, load, parse
from megallm.catalog.models import Prices
from megallm.catalog.upstreams import OpenAIUpstream
from megallm.messages.compatibility import DROP, PASS, REFUSE, Rule

HEAD = '[[models]]\nid = "a"\ndisplay_name = "A"\n'
ROUTE = 'routes = [{ provider = "embedded", model = "m" }]\n'

VLLM = """
[providers.vllm]
kind = "openai"
base_url = "http://127.0.0.1:8000/v1/"
api_key = "env:VLLM_KEY"

[providers.vllm.takes.fields]
top_k = "refuse"
max_tokens = "-> max_new_tokens"
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[models]", ": Expected ']]' at the end of an array declaration (at line 1, column 9)"),
        ("", ": models: Field required"),
        ('[[models]]\nid = "a"\n' + ROUTE, ", line 1: models.0.display_name: Field required"),
        (HEAD, ", line 1: models.0: a has no routes"),
        ((HEAD + ROUTE) * 2, ", line 6: models.1.id: a stands there twice"),
        (HEAD + "kontext = 1\n" + ROUTE, ", line 4: models.0.kontext: Extra inputs are not permitted"),
        (
            HEAD
            + 'routes = [\n  { provider = "embedded", model = "m" },\n  { provider = "nobody", model = "m" },\n]\n',
            ", line 7: models.0.routes.1.provider: there is no provider 'nobody': give it a table [providers.nobody] "
            "with its kind, or name one of anthropic, bedrock, embedded, openai",
        ),
        (
            '[defaults]\nroutes = [{ provider = "x", model = "m" }]\n' + HEAD,
            ", line 2: defaults.routes.0.provider: there is no provider 'x': give it a table [providers.x] with its "
            "kind, or name one of anthropic, bedrock, embedded, openai",
        ),
        (
            HEAD + ROUTE + '[providers.p]\nkind = "openai"\napi_key = "sk-0123"\n',
            ", line 7: providers.p.api_key: Value error, a secret is named, never written down: env:NAME, "
            "secretsmanager:NAME or ssm:/NAME",
        ),
        (
            HEAD + ROUTE + '[providers.p]\nkind = "openai"\nbase_url = "localhost:8000"\n',
            ", line 7: providers.p.base_url: Value error, it must begin with https:// or http://",
        ),
        (
            HEAD + ROUTE + '[providers.p]\nkind = "cohere"\n',
            ", line 5: providers.p: Input should have a 'kind': anthropic, bedrock, embedded, openai",
        ),
        (
            HEAD + ROUTE + '[providers.p]\nkind = "openai"\n[providers.p.takes.fields]\ntop_k = "ignore"\n',
            ', line 8: providers.p.takes.fields.top_k: Value error, a rule is "pass", "drop", "refuse" or "-> name"',
        ),
        (
            HEAD + 'routes = [{ provider = "openai", model = "m", table = "nope" }]\n',
            ", line 4: models.0.routes.0.table: Value error, there is no such table; there are "
            + ", ".join(sorted(names())),
        ),
        (
            HEAD + ROUTE + 'capabilities = ["flying"]\n',
            ", line 5: models.0.capabilities.0: Input should be 'batch',",
        ),
    ],
)
def test_a_broken_catalogue_is_refused_with_its_file_its_line_and_the_reason(
    tmp_path: Path, text: str, told: str
) -> None:
    """At start, not at the first request; a key that was written down is not repeated."""
    file = tmp_path / "models.toml"
    file.write_text(text)

    with pytest.raises(BrokenCatalog) as caught:
        load(str(file))

    assert str(caught.value).startswith(f"{file}{told}")
    assert "sk-0123" not in str(caught.value)


@pytest.mark.parametrize("name", ["x\\ty", "\\u001b[31mred", "\\u0085", "   "])
@pytest.mark.parametrize("member", ['id = "{}"', 'display_name = "{}"', 'aliases = ["{}"]'])
def test_a_name_that_cannot_be_written_is_refused(name: str, member: str) -> None:
    """It goes into logs, metrics and terminals."""
    members = {"id": 'id = "a"', "display_name": 'display_name = "A"', "aliases": "aliases = []"}
    members[member.partition(" ")[0]] = member.format(name)
    text = "\n".join(["[[models]]", *members.values(), ROUTE])

    with pytest.raises(
        BrokenCatalog, match=r"^f, line [234]: models\.0\..*: Value error, it must have more than spaces"
    ):
        parse(text, source="f")


def test_a_catalogue_that_is_not_there_is_refused() -> None:
    """With its path."""
    with pytest.raises(BrokenCatalog, match=r"^/nowhere/models.toml: No such file or directory$"):
        load("/nowhere/models.toml")


def test_a_catalogue_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """With its path."""
    file = tmp_path / "models.toml"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(BrokenCatalog, match=r"models.toml: it is not text in UTF-8$"):
        load(str(file))


def test_routes_keep_their_order_and_know_their_table() -> None:
    """What the operator says of a provider stands over the shipped table, what a route says over both."""
    text = (
        VLLM
        + HEAD
        + 'routes = [{ provider = "vllm", model = "m1" }, { provider = "vllm", model = "m2", takes = { fields = '
        + '{ top_k = "drop" } } }, { provider = "embedded", model = "m3" }]\n'
    )

    first, second, third = parse(text, source="t").find("a").routes

    assert [route.name for route in (first, second, third)] == ["vllm/m1", "vllm/m2", "embedded/m3"]
    assert first.takes.fields.find("top_k") == REFUSE
    assert first.takes.fields.find("max_tokens") == Rule("rewrite", "max_new_tokens")
    assert first.takes.features == shipped("openai").features
    assert second.takes.fields.find("top_k") == DROP
    assert third.takes.fields.find("top_k") == PASS


def test_the_catalogue_knows_the_upstreams_that_its_routes_name() -> None:
    """And no others: a secret of a provider that nobody asks need not be there."""
    text = VLLM + '[providers.spare]\nkind = "anthropic"\n' + HEAD + 'routes = [{ provider = "vllm", model = "m" }]\n'

    upstreams = parse(text, source="t").upstreams

    assert list(upstreams) == ["vllm"]
    vllm = upstreams["vllm"]
    assert isinstance(vllm, OpenAIUpstream)
    assert (vllm.base_url, vllm.api_key) == ("http://127.0.0.1:8000/v1", "env:VLLM_KEY")


def test_prices_are_dollars_per_million_tokens() -> None:
    """The entry's, else the defaults'."""
    text = "[defaults.prices]\ninput = 3\noutput = 15.5\n" + HEAD + ROUTE

    assert parse(text, source="t").find("a").prices == Prices(3.0, 15.5)


@pytest.mark.parametrize("name", sorted(names()))
def test_every_shipped_table_is_one(name: str) -> None:
    """Its rules parse, and it says something."""
    table = shipped(name)

    assert table.fields.named or table.betas.named or table.blocks.named


def test_an_unknown_table_does_not_ship() -> None:
    """A slip of ours, not the operator's, who is told at start."""
    with pytest.raises(KeyError):
        shipped("nope")


def test_a_route_may_say_how_long_it_may_be_silent() -> None:
    """Its own word stands over its provider's; without either there is no limit."""
    limits = "first_byte_seconds = 5\nwhole_reply_seconds = 90.5\n"
    routes = (
        'routes = [{ provider = "p", model = "m" }, { provider = "p", model = "n", first_byte_seconds = 0.5 }, '
        '{ provider = "embedded", model = "e" }]\n'
    )

    (model,) = parse(HEAD + routes + '[providers.p]\nkind = "openai"\n' + limits, source="f").models

    assert [(route.first_byte_seconds, route.whole_reply_seconds) for route in model.routes] == [
        (5, 90.5),
        (0.5, 90.5),
        (None, None),
    ]


def test_a_route_may_be_silent_for_longer_than_its_provider_says() -> None:
    """Or for as long as there is time: 0 lifts a limit, each for itself."""
    limits = "first_byte_seconds = 5\nwhole_reply_seconds = 90\n"
    routes = (
        'routes = [{ provider = "p", model = "m", first_byte_seconds = 0 }, '
        '{ provider = "p", model = "n", whole_reply_seconds = 0.0, first_byte_seconds = 60 }]\n'
    )

    (model,) = parse(HEAD + routes + '[providers.p]\nkind = "openai"\n' + limits, source="f").models

    assert [(route.first_byte_seconds, route.whole_reply_seconds) for route in model.routes] == [(None, 90), (60, None)]


@pytest.mark.parametrize("value", ["-1", "inf", "nan", "true", '"none"'])
def test_a_route_limit_that_means_nothing_is_refused(value: str) -> None:
    """With its line and the member's name."""
    text = HEAD + f'routes = [\n  {{ provider = "openai", model = "m", whole_reply_seconds = {value} }},\n]\n'

    with pytest.raises(BrokenCatalog, match=r"^f, line 6: models\.0\.routes\.0\.whole_reply_seconds: Input should be "):
        parse(text, source="f")


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "true", '"5"'])
def test_a_limit_that_is_none_is_refused(value: str) -> None:
    """With its line."""
    text = HEAD + ROUTE + f'[providers.p]\nkind = "anthropic"\nfirst_byte_seconds = {value}\n'

    with pytest.raises(BrokenCatalog, match=r"f.*line 7"):
        parse(text, source="f")


def test_what_an_operator_may_have_written_a_key_into_is_not_printed() -> None:
    """Somebody may log the object: addresses, paths, headers, queries, bodies."""
    text = """
[providers.house]
kind = "openai"
base_url = "https://me:sk-0123@house/sk-0123"
path = "/sk-0123/chat"
tokenize_path = "/sk-0123"
query = { key = "sk-0123" }
headers = { x-key = "sk-0123" }
body = { key = "sk-0123" }
[providers.native]
kind = "anthropic"
base_url = "https://me:sk-0123@house"
headers = { x-key = "sk-0123" }
[providers.aws]
kind = "bedrock"
endpoint_url = "https://me:sk-0123@house"
"""
    routes = ", ".join(f'{{ provider = "{name}", model = "m" }}' for name in ("house", "native", "aws"))

    upstreams = parse(f"{text}{HEAD}routes = [{routes}]\n", source="t").upstreams

    assert list(upstreams) == ["house", "native", "aws"]
    assert "sk-0123" not in f"{upstreams!r}{[str(upstream) for upstream in upstreams.values()]}"


@pytest.mark.parametrize(
    "url",
    [
        "https://me:sk-0123@[house/v1",
        "https://me:sk-0123@",
        "http:///v1",
        "https://me:sk-0123@house:abc/v1",
        "https://house:99999",
        "https://house:0/v1",
    ],
)
def test_an_address_that_cannot_be_called_is_refused(url: str) -> None:
    """At start; what stands in it is not repeated."""
    text = HEAD + ROUTE + f'[providers.p]\nkind = "anthropic"\nbase_url = "{url}"\n'

    with pytest.raises(BrokenCatalog) as caught:
        parse(text, source="f")

    assert (
        str(caught.value)
        == "f, line 7: providers.p.base_url: Value error, it has no host, or a port that cannot be one"
    )
