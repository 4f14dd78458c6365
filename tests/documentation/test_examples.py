"""Each printed example of MegaLLM's documentation runs against the local stack with nothing but URL and key changed.

The tiny model talks nonsense, so what is checked is that a text comes, not which.
"""

import ast
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from megallm.catalog.file_format import parse
from megallm.errors import RateLimited
from megallm.local.state import LocalState
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from tests.contract.server import RunningServer, WatchedProvider
from tests.documentation.running import NodeSdk, Printed, PythonSdk, run_node, run_python, run_shell
from tests.fakes import KEY, Step, gateway, text_reply

# One worker runs them all, so that there is one stack with one model.
pytestmark = pytest.mark.slow

CATALOG = """
[providers.scripted]
kind = "embedded"

[[models]]
id = "claude-3.5-sonnet"
display_name = "Test"
routes = [{ provider = "scripted", model = "upstream-model" }]
"""

BOTH: list[PythonSdk] = ["2.12", "0.116"]


def python_example(name: str, sdk: PythonSdk, stack: LocalState) -> Printed:
    return run_python(name, sdk, stack.base_url, stack.api_key)


def last_line(text: str) -> str:
    return text.rstrip().rsplit("\n", 1)[-1]


# A small model takes its time, so the longer ones run on one generation each.
TEXTS: list[tuple[str, PythonSdk]] = [
    ("basic_usage.py", "2.12"),
    ("basic_usage.py", "0.116"),
    ("quick_example.py", "0.116"),
    ("system_message.py", "2.12"),
    ("conversation_class.py", "2.12"),
    ("conversation_history.py", "0.116"),
    ("prefill.py", "2.12"),
    ("prefill.py", "0.116"),
    ("analyze_document.py", "0.116"),
    ("review_code.py", "2.12"),
]


@pytest.mark.parametrize(("name", "sdk"), TEXTS)
def test_an_example_prints_a_text(local_stack: LocalState, name: str, sdk: PythonSdk) -> None:
    """Item 6: the examples without sampling parameters."""
    printed = python_example(name, sdk, local_stack)

    assert printed.status == 0, printed.err
    assert printed.out.strip()


@pytest.mark.parametrize("name", ["translate.py", "summarize.py", "extract_information.py", "temperature.py"])
def test_an_example_with_temperature_prints_a_text(local_stack: LocalState, name: str) -> None:
    """Item 6: on the generation of the SDK that has the parameter."""
    printed = python_example(name, "0.116", local_stack)

    assert printed.status == 0, printed.err
    assert printed.out.strip()


def test_the_newer_sdk_has_no_temperature(local_stack: LocalState) -> None:
    """Item 6: there the SDK itself refuses the printed call, before anything is sent."""
    printed = python_example("translate.py", "2.12", local_stack)

    assert printed.status == 1
    assert last_line(printed.err).startswith("TypeError")
    assert "temperature" in last_line(printed.err)


@pytest.mark.parametrize("sdk", BOTH)
def test_the_conversation_as_printed_passes_its_question_as_max_tokens(local_stack: LocalState, sdk: PythonSdk) -> None:
    """Item 6: the printed usage is wrong, and the SDK fails over it before it sends anything.

    A reader has to call add_user_message first, as conversation_class.py does.
    """
    printed = python_example("conversation_as_printed.py", sdk, local_stack)

    assert printed.status == 1
    assert last_line(printed.err) == "TypeError: unsupported operand type(s) for /: 'str' and 'int'"


@pytest.mark.parametrize("sdk", BOTH)
def test_tool_use_reads_its_blocks(local_stack: LocalState, sdk: PythonSdk) -> None:
    """Item 6: the printed tool, offered and forced; a forced call's input follows its schema (item 2)."""
    printed = python_example("tool_use.py", sdk, local_stack)

    assert printed.status == 0, printed.err
    *_, name, arguments = printed.out.splitlines()
    assert name == "Tool call: get_weather"
    # As Python writes it: a place with an apostrophe stands in other quotes.
    given = ast.literal_eval(arguments.removeprefix("Arguments: "))
    assert [(field, type(value)) for field, value in given.items()] == [("location", str)]


@pytest.mark.parametrize("sdk", BOTH)
def test_an_image_is_a_named_400_where_the_route_sees_none(local_stack: LocalState, sdk: PythonSdk) -> None:
    """Item 6: the image block's path, in the SDK's BadRequestError."""
    printed = python_example("image_block.py", sdk, local_stack)

    assert printed.status == 1
    assert last_line(printed.err).startswith("anthropic.BadRequestError: ")
    assert "messages.0.content.1" in last_line(printed.err)


@pytest.mark.parametrize("sdk", BOTH)
def test_streaming_prints_as_it_goes(local_stack: LocalState, sdk: PythonSdk) -> None:
    """Item 6: the helper's text, then the raw events, from message_start to message_stop."""
    printed = python_example("streaming.py", sdk, local_stack)

    assert printed.status == 0, printed.err
    text, _, events = printed.out.partition("\nmessage_start\n")
    assert text.strip()
    assert events.rstrip().endswith("content_block_stop\nmessage_delta\nmessage_stop")


@pytest.mark.parametrize("sdk", BOTH)
def test_every_model_of_the_table_answers_under_its_name(local_stack: LocalState, sdk: PythonSdk) -> None:
    """Section 1: the response echoes the id that the client sent."""
    printed = python_example("model_selection.py", sdk, local_stack)

    assert printed.out.splitlines() == [
        "claude-3-opus",
        "claude-3-sonnet",
        "claude-3-haiku",
        "claude-3.7-sonnet",
        "claude-sonnet-4",
        "claude-opus-4-1-20250805",
    ]


def test_the_printed_limiter_works_below_its_limit(local_stack: LocalState) -> None:
    """Item 6: at its limit it locks itself up; below that it works."""
    printed = python_example("rate_limiter.py", "0.116", local_stack)

    assert [int(line) > 0 for line in printed.out.splitlines()] == [True, True]


@pytest.mark.parametrize("sdk", ["1.12", "0.x"])
def test_the_javascript_example_prints_a_text(local_stack: LocalState, sdk: NodeSdk, tmp_path: Path) -> None:
    """Item 6: the same from JavaScript, on both generations."""
    printed = run_node("basic_usage.mjs", sdk, local_stack.base_url, local_stack.api_key, tmp_path)

    assert printed.status == 0, printed.err
    assert printed.out.strip()


@pytest.mark.parametrize(
    ("name", "model", "host"),
    [
        ("basic_usage.sh", "claude-3-sonnet-20240229", "127.0.0.1"),
        ("authentication.sh", "claude-3.5-sonnet", "127.0.0.1"),
        ("without_key.sh", "claude-3-sonnet-20240229", "localhost"),
    ],
)
def test_curl_prints_a_message(local_stack: LocalState, name: str, model: str, host: str) -> None:
    """Section 1: with a key, and without one on localhost."""
    base_url = local_stack.base_url.replace("127.0.0.1", host)

    printed = run_shell(name, base_url, local_stack.api_key)

    message = json.loads(printed.out)
    usage = message["usage"]
    cached = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
    assert (message["type"], message["role"], message["model"]) == ("message", "assistant", model)
    assert message["content"][0]["text"].strip()
    assert usage["input_tokens"] + cached == usage["prompt_tokens"] > 0
    assert usage["output_tokens"] == usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("sdk", BOTH)
def test_error_handling_passes_a_good_call_on(local_stack: LocalState, sdk: PythonSdk) -> None:
    """Item 6: safe_message_create, where nothing goes wrong."""
    printed = python_example("error_handling.py", sdk, local_stack)

    assert printed.status == 0, printed.err
    assert printed.out.strip()


@pytest.mark.parametrize("sdk", BOTH)
def test_error_handling_catches_a_wrong_key_as_an_api_error(local_stack: LocalState, sdk: PythonSdk) -> None:
    """Item 6: its APIError branch prints and raises."""
    printed = run_python("error_handling.py", sdk, local_stack.base_url, "your-api-key")

    assert printed.status == 1
    assert printed.out.startswith("API error: Error code: 401 - ")
    assert last_line(printed.err).startswith("anthropic.AuthenticationError: ")


@pytest.mark.parametrize("sdk", BOTH)
def test_error_handling_tries_three_times_to_connect(sdk: PythonSdk) -> None:
    """Item 6: its APIConnectionError branch, where nothing listens."""
    printed = run_python("error_handling.py", sdk, "http://127.0.0.1:9", KEY)

    assert printed.out.splitlines() == ["Connection error: Connection error."] * 3
    assert last_line(printed.err).startswith("anthropic.APIConnectionError: ")


@pytest.mark.parametrize("sdk", BOTH)
def test_error_handling_waits_out_a_rate_limit(sdk: PythonSdk) -> None:
    """Item 6: its RateLimitError branch, with a gateway that refuses once."""

    def refuse_once(call: Call[MessagesRequest]) -> Sequence[Step]:
        limited = RateLimited("Rate limit exceeded", headers={"retry-after": "1"})
        return [limited] if len(provider.calls) == 1 else text_reply("Red, yellow, blue.")

    provider = WatchedProvider(refuse_once)
    with RunningServer(replace(gateway(provider), catalog=parse(CATALOG, source="test"))) as server:
        printed = run_python("error_handling.py", sdk, server.url, KEY)

    assert (printed.out, provider.played) == ("Red, yellow, blue.\n", 2)
