"""The SDKs' own tool loop, which in the newest ones wants the server to hold the conversation (C44)."""

from collections.abc import Sequence

import pytest

from megallm.messages.blocks import ToolResultBlock
from megallm.messages.builder import BlockBuilder
from megallm.messages.calls import Call
from megallm.messages.events import Usage
from megallm.messages.requests import MessagesRequest
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.contract.server import WatchedProvider
from tests.fakes import Step, text_reply


def ask_then_answer(call: Call[MessagesRequest]) -> Sequence[Step]:
    """A tool call at first, a text once its result is there."""
    last = call.request.messages[-1].content
    if not isinstance(last, str) and any(isinstance(block, ToolResultBlock) for block in last):
        return text_reply("It is sunny in Paris.")
    builder = BlockBuilder()
    events = builder.start(Usage(input_tokens=7)) + builder.tool_call(0, "toolu_1", "get_weather")
    events += builder.tool_input(0, '{"location": "Paris"}')
    return events + builder.finish("tool_use", Usage(input_tokens=7, output_tokens=9))


def test_the_tool_runner_goes_on_with_the_whole_history(connect: Connect, serve: Serve) -> None:
    """C44: a thread is refused with the code on which the SDK sends everything, so that nothing is lost."""
    provider = WatchedProvider(ask_then_answer)

    outcome = connect(serve(provider)).run_tools(**HELLO, answer="sunny")

    assert outcome["called"] == ["Paris"]
    assert outcome["message"]["content"][0]["text"] == "It is sunny in Paris."
    assert [[turn.role for turn in call.request.messages] for call in provider.calls] == [
        ["user"],
        ["user", "assistant", "user"],
    ]


def test_a_thread_is_refused_with_its_code(connect: Connect, serve: Serve) -> None:
    """C44: a 400 whose error_code and details let the SDK recover."""
    sdk = connect(serve())

    with pytest.raises(SdkError) as raised:
        sdk.create(**HELLO, thread={"type": "create"})

    told = raised.value
    newer = sdk.driver.generation.api_version == "2026-10-21"
    expected = "ThreadUnsupportedRequestError" if newer else "BadRequestError"
    assert (told.name, told.status, told.error_code) == (expected, 400, "thread_unsupported_request")
    assert told.body["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
