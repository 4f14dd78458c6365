"""Content blocks as upstreams begin them that only resemble Anthropic's: what the SDKs' types require is filled in."""

from collections.abc import Mapping

from megallm.messages.events import JsonObject

# llama.cpp begins a tool_use without its input, and it and vLLM a thinking block without its signature; the SDKs then
# give their callers blocks whose required fields are missing.
# Sources: ggml-org/llama.cpp tools/server/server-task.cpp, vllm-project/vllm vllm/entrypoints/anthropic/serving.py
_REQUIRED: Mapping[object, JsonObject] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
}


def completed(block: JsonObject) -> JsonObject:
    """The block with what its type requires; the very same object where nothing was missing."""
    missing = {name: value for name, value in _REQUIRED.get(block.get("type"), {}).items() if block.get(name) is None}
    return {**block, **missing} if missing else block


def says_nothing(delta: object) -> bool:
    """Whether a delta adds nothing to its block, such as llama.cpp's empty signature after the next block began."""
    return isinstance(delta, dict) and not any(value for name, value in delta.items() if name != "type")
