"""What each transcript of a streamed reply says, as a reply of ours."""

from megallm.messages.events import JsonObject, Reply, StopReason, Usage


def text(said: str) -> JsonObject:
    return {"type": "text", "text": said}


def thinking(thought: str) -> JsonObject:
    return {"type": "thinking", "thinking": thought, "signature": f"chat/m: {thought}"}


def call(call_id: str, city: str) -> JsonObject:
    return {"type": "tool_use", "id": call_id, "name": "get_weather", "input": {"city": city}}


def _reply(*content: JsonObject, reason: StopReason, usage: Usage) -> Reply:
    return Reply(content, reason, usage)


def ended(*content: JsonObject, usage: Usage) -> Reply:
    return _reply(*content, reason="end_turn", usage=usage)


def called(*content: JsonObject, usage: Usage) -> Reply:
    return _reply(*content, reason="tool_use", usage=usage)


def refused(said: str, explanation: str, usage: Usage) -> Reply:
    details = {"type": "refusal", "category": None, "explanation": explanation}
    return Reply((text(said),), "refusal", usage, stop_details=details)


def stopped(said: str, sequence: str, usage: Usage) -> Reply:
    return Reply((text(said),), "stop_sequence", usage, sequence)


HELLO = text("Hello! How can I assist you today?")
GREETING = "I must say good day to them now.\n"
SORRY = "I'm sorry, I cannot assist with that."
NEED = thinking("I need the tool.\n")
CUT_CALL = {"type": "tool_use", "id": "zOFjO8j7z6SVOsBzNZiz10xjqfjrHLsY", "name": "get_weather", "input": {}}
LIST: JsonObject = {"type": "tool_use", "name": "list_workspaces", "input": {}}


def write(call_id: str, content: str, path: str) -> JsonObject:
    return {"type": "tool_use", "id": call_id, "name": "file_write", "input": {"content": content, "path": path}}


REPLIES: dict[str, Reply] = {
    "azure_filtered": refused(
        "First, you take",
        "The model provider's content filter ended the reply (violence, protected_material_text).",
        Usage(9, 4),
    ),
    "azure_text": ended(text("Washington, D.C."), usage=Usage(16, 14, thinking_tokens=10)),
    "copilot_nonzero_index": called(
        text("Now listing your workspaces:"),
        {**LIST, "id": "toolu_vrtx_01DbFqUgk6"},
        usage=Usage(510, 58, cache_read_input_tokens=25429),
    ),
    "deepseek_thinking": ended(
        thinking("9.8 is 9.80"),
        text("9.8 is greater."),
        usage=Usage(36, 48, cache_read_input_tokens=128, thinking_tokens=35),
    ),
    "gemini_two_tools": called(call("toolu_1", "Paris"), call("toolu_2", "Rome"), usage=Usage(71, 32)),
    "groq_tool": called(call("tk85n1k4m", "Paris"), usage=Usage(210, 15)),
    "litellm_length": _reply(
        text("One, two, three,"), reason="max_tokens", usage=Usage(13, 6, cache_read_input_tokens=14)
    ),
    "litellm_thinking_tool": called(
        NEED,
        call("SiUK5qP8eHn0Cov9yiqEhm1UoffUzvcz", "Paris"),
        usage=Usage(1, 31, cache_read_input_tokens=190, thinking_tokens=5),
    ),
    "litellm_tool": called(
        call("qKBvJsHqpPuC8EnTBpD8H4ixXVqdCEGr", "Paris"), usage=Usage(168, 23, cache_read_input_tokens=12)
    ),
    "litellm_two_tools": called(
        call("iF44urXPHlLd6f4PHU4USjWhMhu6UccQ", "Paris"),
        call("XWoDFBlYgHGOGlEoI3Kjj5VtcpNwow5G", "Lima"),
        usage=Usage(29, 46, cache_read_input_tokens=174),
    ),
    "litellm_usage": ended(HELLO, usage=Usage(1, 10, cache_read_input_tokens=21)),
    "llama.cpp_length": _reply(
        text("One, two, three,"), reason="max_tokens", usage=Usage(13, 6, cache_read_input_tokens=14)
    ),
    # It stopped at a sequence and cannot tell: so servers like it are not given any, and we look for them.
    "llama.cpp_stop": ended(text("a b c d "), usage=Usage(27, 5, cache_read_input_tokens=3)),
    "llama.cpp_stop_told": stopped("a b c d ", "e", Usage(1, 5, cache_read_input_tokens=29)),
    "llama.cpp_text": ended(HELLO, usage=Usage(19, 10, cache_read_input_tokens=3)),
    "llama.cpp_thinking": ended(
        thinking(GREETING), text("Good day to you."), usage=Usage(1, 18, cache_read_input_tokens=42)
    ),
    "llama.cpp_thinking_tool": called(
        NEED, call("C8MxGSGIEHzkK6EJBlMXVXHjhtSK7Kfp", "Paris"), usage=Usage(1, 31, cache_read_input_tokens=190)
    ),
    "llama.cpp_timings": ended(HELLO, usage=Usage(19, 10, cache_read_input_tokens=3)),
    "llama.cpp_tool": called(
        call("0MDN9hUNPW7wLhuRysQvKUMzICOoIN4X", "Paris"), usage=Usage(168, 23, cache_read_input_tokens=12)
    ),
    "llama.cpp_tool_cut": _reply(CUT_CALL, reason="max_tokens", usage=Usage(1, 16, cache_read_input_tokens=179)),
    "llama.cpp_two_tools": called(
        call("bRvfDvdDfWUGkvwq6c3uOigIWsBgxjSY", "Paris"),
        call("47061rM3hGpX9PnmrtXr6LhPYpGSElPW", "Lima"),
        usage=Usage(29, 46, cache_read_input_tokens=174),
    ),
    "llama.cpp_unicode": ended(text("Hello Japan 🎉"), usage=Usage(13, 6, cache_read_input_tokens=18)),
    "llama.cpp_usage": ended(HELLO, usage=Usage(1, 10, cache_read_input_tokens=21)),
    "mistral_thinking": ended(thinking("Two plus two."), text("It is 4."), usage=Usage(14, 20)),
    "moonshot_choice_usage": ended(text("OK."), usage=Usage(4, 5, cache_read_input_tokens=8, thinking_tokens=1)),
    "ollama_no_index": called(call("call_1", "Paris"), call("call_2", "Rome"), usage=Usage(9, 8)),
    "ollama_same_index": called(
        write("call_abc123", "print(1)", "a.py"), write("call_def456", "print(2)", "b.py"), usage=Usage(220, 61)
    ),
    "ollama_thinking": ended(thinking("Okay, simple."), text("Hi there"), usage=Usage(9, 6)),
    "openai_cumulative_usage": called(text("Calling"), {**LIST, "id": "call-cumulative"}, usage=Usage(6000, 30)),
    "openai_function_call": called(call("toolu_1", "Paris"), usage=Usage(9, 4)),
    "openai_refusal": refused(SORRY, SORRY, Usage(90, 12)),
    "openai_text": ended(
        text('Hello! "How"\n\u2028é'), usage=Usage(86, 300, cache_read_input_tokens=1920, thinking_tokens=192)
    ),
    "openai_two_tools": called(
        call("call_HjeqP7YeRkoNj0de9e3U4X4B", "Paris"), call("call_8bE0Zp", "Rome"), usage=Usage(60, 34)
    ),
    "openrouter_thinking": ended(
        thinking("Let me think. In short: 4."),
        text("4."),
        usage=Usage(7, 20, cache_creation_input_tokens=4, thinking_tokens=9),
    ),
    "sglang_two_tools": called(call("0", "Paris"), call("1", "Rome"), usage=Usage(9, 9)),
    "tgi_text": ended(text("Hi you"), usage=Usage(9, 2)),
    "vllm_named_tool": called(call("toolu_1", "Paris"), usage=Usage(9, 5)),
    "vllm_reasoning": ended(thinking("9.11 or 9.8?"), text("\n\n9.8"), usage=Usage(19, 12)),
    "vllm_same_index": called(
        call("chatcmpl-tool-c9ZCzB9b", "Paris"), call("chatcmpl-tool-HfzZPEVf", "Rome"), usage=Usage(9, 9)
    ),
    "vllm_stop_told": stopped("one, two, ", "three", Usage(12, 6)),
    # White space between thinking and calls is no block of its own.
    "vllm_thinking_tool": called(
        thinking("\nThe user asks.\n"),
        call("chatcmpl-tool-c9ZCzB9b", "Paris"),
        call("chatcmpl-tool-HfzZPEVf", "Rome"),
        usage=Usage(171, 56),
    ),
    "vllm_usage_each_chunk": ended(text("Hi!"), usage=Usage(12, 3)),
}
