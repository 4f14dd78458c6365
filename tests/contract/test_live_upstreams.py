"""A real llama.cpp server as upstream, at both of its endpoints, driven by the official SDK through a running gateway.

The model is the tiny one, whose words mean nothing: what is looked at is the protocol.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from tests.contract.upstreams.llama_server import CONTEXT_TOKENS, LlamaServer
from tests.contract.upstreams.staging import Stage, stage

pytestmark = pytest.mark.slow

Json = Any  # what goes over the wire

TOOL: Json = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"location": {"type": "string", "enum": ["Paris", "Rome", "Oslo", "Bonn"]}},
        "required": ["location"],
    },
}
MODELS = ("via-chat", "via-messages")
STORY = "Tell me a story."  # to which even this model has more to say than it may


def catalogue(url: str) -> str:
    """The same server twice, once for each of its endpoints."""
    return f"""
[providers.chat]
kind = "openai"
base_url = "{url}/v1"
table = "llama.cpp"
tokenize_path = "/v1/chat/completions/input_tokens"

[providers.messages]
kind = "anthropic"
base_url = "{url}"
takes.fields = {{ temperature = "pass", top_p = "pass", top_k = "pass" }}
takes.features = {{ prefill = true, prefill_space = true, thinking_budgets = true, repeats_prefill = true }}
takes.betas = {{ "*" = "drop" }}

[[models]]
id = "via-chat"
display_name = "By chat completions"
routes = [{{ provider = "chat", model = "tiny" }}]
context_tokens = {CONTEXT_TOKENS}
max_output_tokens = {CONTEXT_TOKENS}

[[models]]
id = "via-messages"
display_name = "By messages"
routes = [{{ provider = "messages", model = "tiny" }}]
context_tokens = {CONTEXT_TOKENS}
max_output_tokens = {CONTEXT_TOKENS}
"""


@pytest.fixture(scope="module")
def llama(tiny_model: Path) -> LlamaServer:
    """The server, for all tests."""
    return LlamaServer(tiny_model)


@pytest.fixture(scope="module")
def gateway(llama: LlamaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The gateway in front of it."""
    with stage(catalogue(llama.url), tmp_path_factory.mktemp("live"), timeout_seconds=300) as running:
        yield running


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    """Each endpoint in turn."""
    return str(request.param)


def ask(gateway: Stage, model: str, *messages: Json, **params: Json) -> Message:
    """A plain call, always with the same reply to the same question."""
    return gateway.client.messages.create(**question(model, *messages, **params))


def fold(gateway: Stage, model: str, *messages: Json, **params: Json) -> Message:
    """The same, streamed and put together by the SDK."""
    with gateway.client.messages.stream(**question(model, *messages, **params)) as stream:
        return stream.get_final_message()


def question(model: str, *messages: Json, **params: Json) -> Json:
    turns = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
    return {"model": model, "max_tokens": 24, "messages": turns, "extra_body": {"temperature": 0}, **params}


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_reply_of_text(gateway: Stage, model: str) -> None:
    """A message with the model's text, its true tokens, and the reason why it ended."""
    message = ask(gateway, model, STORY)

    assert [block.type for block in message.content] == ["text"]
    assert text_of(message)
    assert (message.model, message.stop_reason, message.usage.output_tokens) == (model, "max_tokens", 24)
    assert message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0) > 5


def test_a_stream_folds_to_the_plain_reply(gateway: Stage, model: str) -> None:
    """C31: the SDK ends up with the same text and the same end."""
    plain, folded = (way(gateway, model, STORY) for way in (ask, fold))

    assert (text_of(folded), folded.stop_reason) == (text_of(plain), plain.stop_reason)
    assert folded.usage.output_tokens == plain.usage.output_tokens


def test_events_come_one_by_one(gateway: Stage, model: str) -> None:
    """C25: from message_start to message_stop, with a delta a token and nothing else in between."""
    events = [event.type for event in gateway.client.messages.create(**question(model, STORY), stream=True)]

    deltas = events.count("content_block_delta")
    assert deltas > 5
    assert [each for each in events if each != "content_block_delta"] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def practised() -> list[Json]:
    """Three rounds of a tool call, so that even this model knows what comes next."""
    turns: list[Json] = []
    for city in ("Rome", "Oslo", "Bonn"):
        use = {"type": "tool_use", "id": f"toolu_{city}", "name": "get_weather", "input": {"location": city}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{city}", "content": "sunny"}
        turns += [
            {"role": "user", "content": f"Weather in {city}?"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": "Sunny."},
        ]
    return [*turns, {"role": "user", "content": "Weather in Paris?"}]


@pytest.mark.parametrize("way", [ask, fold])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}], ids=["any", "tool"])
def test_a_forced_tool_call(gateway: Stage, model: str, way: Any, choice: Json) -> None:
    """C16, C19, C22: a tool_use block whose input follows the schema, after a history of calls and results."""
    message = way(
        gateway,
        model,
        *practised(),
        tools=[TOOL],
        tool_choice={**choice, "disable_parallel_tool_use": True},
        max_tokens=60,
    )

    assert [block.type for block in message.content] == ["tool_use"]
    block = message.content[0]
    assert isinstance(block, anthropic.types.ToolUseBlock)
    assert (block.name, block.input) == ("get_weather", {"location": "Paris"})
    assert message.stop_reason == "tool_use"


@pytest.mark.parametrize("way", [ask, fold])
def test_a_stop_sequence_cuts_the_text(gateway: Stage, model: str, way: Any) -> None:
    """C12: the text ends before it, and the reply names it; without it the text goes on."""
    whole = text_of(ask(gateway, model, STORY))
    stop = whole[10:14]

    message = way(gateway, model, STORY, stop_sequences=["never said", stop])

    assert (text_of(message), message.stop_reason, message.stop_sequence) == (
        whole[: whole.index(stop)],
        "stop_sequence",
        stop,
    )


def test_tokens_are_counted_by_the_servers_tokenizer(gateway: Stage, llama: LlamaServer, model: str) -> None:
    """C40: exactly what the server itself counts."""
    turns: list[Json] = [{"role": "user", "content": "How many tokens are these words? 🙂"}]

    counted = gateway.client.messages.count_tokens(model=model, messages=turns)

    assert counted.input_tokens == llama.tokens(turns)


@pytest.mark.parametrize("way", [ask, fold])
def test_a_prefill_is_gone_on_with_and_not_repeated(gateway: Stage, model: str, way: Any) -> None:
    """C05: the reply is what comes behind the assistant's words."""
    prefill = {"role": "assistant", "content": "The capital of France is"}

    text = text_of(way(gateway, model, "What is the capital of France?", prefill))

    assert text
    assert "The capital of France is" not in text


@pytest.mark.parametrize("way", [ask, fold])
def test_structured_output_follows_its_schema(gateway: Stage, way: Any) -> None:
    """C24: JSON of the given shape, whatever the model would have said."""
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}, "sunny": {"type": "boolean"}},
        "required": ["city", "sunny"],
        "additionalProperties": False,
    }

    message = way(
        gateway,
        "via-chat",
        "Weather?",
        output_config={"format": {"type": "json_schema", "schema": schema}},
        max_tokens=60,
    )

    reply = json.loads(text_of(message))
    assert sorted(reply) == ["city", "sunny"]
    assert reply["city"] in ("Paris", "Rome")
    assert isinstance(reply["sunny"], bool)


def test_a_prompt_that_does_not_fit_is_told_in_the_known_words(gateway: Stage, model: str) -> None:
    """C33: with the server's own numbers."""
    with pytest.raises(anthropic.BadRequestError, match=rf"prompt is too long: \d+ tokens > {CONTEXT_TOKENS} maximum"):
        ask(gateway, model, "word " * CONTEXT_TOKENS)


def test_leaving_a_stream_frees_the_servers_slot(gateway: Stage, llama: LlamaServer, model: str) -> None:
    """C30: the model stops writing when the client goes."""
    stream = gateway.client.messages.create(**question(model, "Tell me a long story.", max_tokens=2000), stream=True)
    seen = [next(iter(stream)).type]
    busy = llama.busy_slots()

    stream.close()

    assert (seen, busy) == (["message_start"], 1)
    deadline = time.monotonic() + 60
    while llama.busy_slots() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert llama.busy_slots() == 0
    gateway.limiter.wait_until_empty()
