"""What the provider signs, and what signs the provider's calls."""

from pydantic_core import from_json, to_json

from megallm.providers.bedrock.provider import BedrockProvider

from .asking import call_of, counted
from .calling import CONVERSED, answering, claude, run
from .fake_bedrock import KEY_ID, Answer, FakeBedrock, Received, is_signed


def test_thinking_is_signed_for_its_route_and_goes_back_to_it() -> None:
    """The whole circle (C15)."""
    thought = {
        **CONVERSED,
        "output": {"message": {"content": [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Hi"}]}},
    }

    async def act(server: FakeBedrock, provider: BedrockProvider) -> object:
        takes = {"blocks": {"thinking": "pass"}}
        reply = await (await provider.prepare(call_of(takes=takes))).create()
        turns = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": list(reply.content)},
            {"role": "user", "content": "And?"},
        ]
        await provider.count_tokens(counted(call_of(turns, takes=takes)))
        await (await provider.prepare(call_of(turns, takes=takes))).create()
        return from_json(server.received[-1].body)["messages"][1]["content"]

    def respond(received: Received) -> Answer:
        return answering(received) if received.path.endswith("count-tokens") else Answer([to_json(thought)])

    assert run(respond, act) == [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Hi"}]


def test_a_model_that_signs_itself_keeps_its_signatures() -> None:
    """Both ways; nobody's secret is asked for."""
    native = {"features": {"native_signatures": True}}
    block = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "theirs"}}}
    thought = {**CONVERSED, "output": {"message": {"content": [block]}}}

    async def act(server: FakeBedrock, provider: BedrockProvider) -> object:
        await provider.count_tokens(counted(call_of(takes=native)))
        return (await (await provider.prepare(call_of(takes=native))).create()).content

    def respond(received: Received) -> Answer:
        return answering(received) if received.path.endswith("count-tokens") else Answer([to_json(thought)])

    assert run(respond, act) == ({"type": "thinking", "thinking": "Hm.", "signature": "theirs"},)


def test_the_keys_are_those_of_the_environment() -> None:
    """The fixture's, and nobody else's."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> bool:
        await (await provider.prepare(claude())).create()
        return is_signed(server.received[0], KEY_ID) and not is_signed(server.received[0], "AKIDOTHER")

    assert run(answering, act)
