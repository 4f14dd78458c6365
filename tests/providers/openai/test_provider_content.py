"""Content on its way through a call: signed thinking, names of tools, repeated prefills, images that are fetched."""

import pytest

from megallm.messages.fold import fold
from tests.providers.raw_server import Connection

from .asking import BY_URL, ROUTE, SIGNER, WEATHER
from .chat_server import Upstream, completion, create, plays, run, stream, streamed


def test_thinking_is_signed_with_the_route() -> None:
    """C15: and comes back to the same server as it wants it."""

    async def test(there: Upstream) -> None:
        reply = await create(there, table="deepseek")
        conversation = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": list(reply.content)},
            {"role": "user", "content": "Again"},
        ]
        await create(there, conversation, table="deepseek")

        assert reply.content[0] == {"type": "thinking", "thinking": "hm", "signature": SIGNER.sign(ROUTE, "hm")}
        assert there.bodies[1]["messages"][1] == {  # type: ignore[index]  # JSON that is known
            "role": "assistant",
            "content": "Hello",
            "reasoning_content": "hm",
        }

    run(test, plays(completion(reasoning_content="hm"), completion()))


def test_tool_names_come_back_as_the_client_knows_them() -> None:
    """C20."""
    name = "files/read"

    async def test(there: Upstream) -> None:
        reply = await create(there, tools=[WEATHER | {"name": name}])
        assert reply.content == ({"type": "tool_use", "id": "call_1", "name": name, "input": {}},)

    async def script(connection: Connection) -> None:
        await connection.request()
        sent = connection.bodies[0].partition(b'"function":{"name":"')[2].partition(b'"')[0].decode()
        call = {"id": "call_1", "type": "function", "function": {"name": sent, "arguments": ""}}
        await connection.send(completion(None, finish_reason="tool_calls", tool_calls=[call]))

    run(test, script)


PREFILLED = [{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2, "}]


@pytest.mark.parametrize(
    ("table", "streaming", "reply", "expected"),
    [
        ("openai", False, "1, 2, 3", "3"),
        ("openai", True, "1, 2, 3", "3"),
        ("openai", True, "3", "3"),
        ("llama.cpp", False, "1, 2, 3", "3"),
        ("llama.cpp", True, "1, 2, 3", "1, 2, 3"),
        ("vllm", False, "1, 2, 3", "1, 2, 3"),
        ("vllm", True, "1, 2, 3", "1, 2, 3"),
    ],
)
def test_a_repeated_prefill_is_taken_out_where_it_is_a_repetition(
    table: str, streaming: bool, reply: str, expected: str
) -> None:
    """C05: a server that goes on by itself may go on with the same words."""

    async def test(there: Upstream) -> None:
        got = (
            fold(await stream(there, PREFILLED, table=table))
            if streaming
            else await create(there, PREFILLED, table=table)
        )
        assert got.content == ({"type": "text", "text": expected},)

    run(test, plays(streamed(reply) if streaming else completion(reply)))


class Gallery:
    """An ``ImageSource`` with one picture."""

    async def fetch(self, url: str) -> tuple[str, bytes]:
        return "image/png", b"hi"


def test_images_are_fetched_before_the_call() -> None:
    """Where the server takes bytes only, and somebody fetches."""

    async def test(there: Upstream) -> None:
        await create(there, [{"role": "user", "content": [BY_URL]}], table="ollama")
        assert there.bodies[0]["messages"] == [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}],
            }
        ]

    run(test, plays(completion()), images=Gallery())
