"""A whole message through each SDK: what it is made of, and how requests reach the provider."""

import httpx
import pytest

from megallm.messages.builder import BlockBuilder
from megallm.messages.calls import Adaptation
from megallm.messages.events import StopReason, Usage
from megallm.settings import Settings
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.contract.server import WatchedProvider
from tests.fakes import KEY, text_reply

USAGE = Usage(input_tokens=7, output_tokens=3, cache_read_input_tokens=5, cache_creation_input_tokens=2)


def test_a_message_has_all_that_the_documentation_shows(connect: Connect, serve: Serve) -> None:
    """Section 1: both documented spellings of usage, the id that the client sent, an id of our own (C13)."""
    server = serve(WatchedProvider(text_reply("Hello", ", world", usage=USAGE)))

    exchange = connect(server).exchange(**HELLO)

    body = exchange["body"]
    assert body.pop("id").startswith("msg_")
    assert exchange["headers"]["request-id"].startswith("req_")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [{"type": "text", "text": "Hello, world"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 7,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 5,
            "output_tokens": 3,
            "prompt_tokens": 14,
            "completion_tokens": 3,
            "total_tokens": 17,
        },
    }


def test_the_sdk_reads_the_message_as_its_own_type(connect: Connect, serve: Serve) -> None:
    """Section 1: the SDK's parsed message holds what was sent."""
    server = serve(WatchedProvider(text_reply("Hello")))

    message = connect(server).create(**HELLO)

    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (7, 3)


def test_each_message_has_an_id_of_its_own(connect: Connect, serve: Serve) -> None:
    """C13: neither message ids nor request ids repeat."""
    server = serve()

    exchanges = [connect(server).exchange(**HELLO) for _ in range(2)]

    assert len({exchange["body"]["id"] for exchange in exchanges}) == 2
    assert len({exchange["headers"]["request-id"] for exchange in exchanges}) == 2


STOP_REASONS: list[StopReason] = [
    "end_turn",
    "max_tokens",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]


@pytest.mark.parametrize("reason", STOP_REASONS)
def test_a_stop_reason_arrives_as_it_is(connect: Connect, serve: Serve, reason: StopReason) -> None:
    """C11: each of the known stop reasons reaches the SDK's message, streamed and not."""
    sdk = connect(serve(WatchedProvider(text_reply("x", stop_reason=reason))))

    reasons = [sdk.create(**HELLO)["stop_reason"], sdk.final(**HELLO)["stop_reason"]]

    assert reasons == [reason, reason]


def test_the_stop_sequence_that_hit_is_named(connect: Connect, serve: Serve) -> None:
    """C12: stop_sequence is reported, streamed and not."""
    builder = BlockBuilder()
    script = builder.start(Usage(input_tokens=7)) + builder.text("before ")
    script += builder.finish("stop_sequence", Usage(7, 3), stop_sequence="STOP")
    sdk = connect(serve(WatchedProvider(script)))
    request = {**HELLO, "stop_sequences": ["STOP", "HALT"]}

    messages = [sdk.create(**request), sdk.final(**request)]

    ends = [(message["stop_reason"], message["stop_sequence"], message["content"][0]["text"]) for message in messages]
    assert ends == [("stop_sequence", "STOP", "before ")] * 2


def test_a_trailing_assistant_turn_reaches_the_provider(connect: Connect, serve: Serve) -> None:
    """C05: a prefill is the provider's to continue, white space at its end included (C46)."""
    provider = WatchedProvider()
    prefill = {"role": "assistant", "content": "Here's a haiku about programming:\n\n"}

    connect(serve(provider)).create(**{**HELLO, "messages": [*HELLO["messages"], prefill]})

    sent = provider.calls[0].request.messages
    assert [(message.role, message.content) for message in sent] == [
        ("user", "Hello, Claude!"),
        ("assistant", "Here's a haiku about programming:\n\n"),
    ]


def test_the_sampling_parameters_are_accepted_under_either_version(connect: Connect, serve: Serve) -> None:
    """C02: temperature, top_p and top_k reach the provider from every SDK."""
    provider = WatchedProvider()
    sampling = {"temperature": 0.3, "top_p": 0.9, "top_k": 5}

    connect(serve(provider)).create(**HELLO, **sampling)

    request = provider.calls[0].request
    assert {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k} == sampling


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
def test_strict_mode_refuses_sampling_parameters_as_anthropic_does(connect: Connect, serve: Serve, field: str) -> None:
    """C02: in strict mode the newer version is refused, the older one still takes them."""
    sdk = connect(serve(settings=Settings(strict=True)))

    if sdk.driver.generation.api_version == "2023-06-01":
        message = sdk.create(**HELLO, **{field: 1})
        assert message["type"] == "message"
    else:
        with pytest.raises(SdkError) as raised:
            sdk.create(**HELLO, **{field: 1})
        assert (raised.value.status, raised.value.message) == (400, f"{field}: Extra inputs are not permitted")


def test_betas_are_accepted_and_reach_the_provider(connect: Connect, serve: Serve) -> None:
    """C03: the flags of anthropic-beta, in their order and once each."""
    provider = WatchedProvider()
    sdk = connect(serve(provider), headers={"anthropic-beta": "one-2026-01-01, two-2026-01-01,one-2026-01-01"})

    sdk.create(**HELLO)

    assert provider.calls[0].betas == ("one-2026-01-01", "two-2026-01-01")


def test_headers_that_say_whom_a_request_is_for_reach_the_provider(connect: Connect, serve: Serve) -> None:
    """C04: messages.create sends its user_profile_id and workspace_id so."""
    provider = WatchedProvider()
    headers = {"Anthropic-User-Profile-Id": "uprof_1", "anthropic-workspace-id": "wrkspc_1"}

    connect(serve(provider), headers=headers).create(**HELLO)

    assert sorted(provider.calls[0].headers) == [
        ("anthropic-user-profile-id", "uprof_1"),
        ("anthropic-workspace-id", "wrkspc_1"),
    ]


def test_such_a_header_must_be_one_that_can_be_sent_on(serve: Serve) -> None:
    """C08: whatever bytes come, it is a 400 that names it."""
    server = serve()
    headers = {b"x-api-key": KEY.encode(), b"anthropic-workspace-id": b"w\xe4"}

    answer = httpx.post(f"{server.url}/v1/messages", headers=headers, json=HELLO, timeout=60)

    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "type": "invalid_request_error",
        "message": "anthropic-workspace-id: must be printable ASCII",
        "param": "anthropic-workspace-id",
    }


ADAPTATIONS = (Adaptation("thinking", "dropped"), Adaptation("naïve field", "left out, alas"))


def test_an_adaptation_is_told_in_a_header(connect: Connect, serve: Serve) -> None:
    """C04: each adapted field and what was done, percent-encoded."""
    sdk = connect(serve(WatchedProvider(adaptations=ADAPTATIONS)))

    exchange = sdk.exchange(**HELLO)

    told = exchange["headers"]["megallm-adapted"]
    assert told == "thinking=dropped, na%C3%AFve%20field=left%20out%2C%20alas"


def test_strict_mode_refuses_what_would_be_adapted(connect: Connect, serve: Serve) -> None:
    """C04: in strict mode an adaptation is a 400 that names the field, and no upstream is called."""
    provider = WatchedProvider(adaptations=ADAPTATIONS)
    sdk = connect(serve(provider, settings=Settings(strict=True)))

    with pytest.raises(SdkError) as raised:
        sdk.create(**HELLO)

    assert (raised.value.status, raised.value.body["error"]["param"]) == (400, "thinking")
    assert provider.played == 0


def test_unknown_fields_validate(connect: Connect, serve: Serve) -> None:
    """Section 3: the API grows; what is not known passes validation."""
    provider = WatchedProvider()

    connect(serve(provider)).create(**HELLO, a_field_of_next_month={"deep": [1, None]})

    assert provider.calls[0].request.model_extra == {"a_field_of_next_month": {"deep": [1, None]}}


def test_the_older_output_format_is_output_config_format(connect: Connect, serve: Serve) -> None:
    """C45: the beta's top-level field means the same as today's, and enum without type is a schema."""
    provider = WatchedProvider()
    wanted = {"type": "json_schema", "schema": {"enum": ["a", "b"]}}

    connect(serve(provider)).create(**HELLO, output_format=wanted)

    config = provider.calls[0].request.output_config
    assert config is not None
    assert config.format is not None
    assert config.format.json_schema == {"enum": ["a", "b"]}


def test_token_counting_answers_in_the_sdks_shape(connect: Connect, serve: Serve) -> None:
    """C40: input_tokens, as the route's provider counts them."""
    sdk = connect(serve(WatchedProvider(tokens=42)))

    counted = sdk.count_tokens(model="claude-test", messages=HELLO["messages"], system="Be brief.")

    assert counted == {"input_tokens": 42}
