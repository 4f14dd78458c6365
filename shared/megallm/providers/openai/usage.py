"""What a reply used, from the usage objects and timings of chat-completions servers (contract C14)."""

from collections.abc import Mapping
from typing import Any

from megallm.messages.events import Usage

JsonObject = Mapping[str, Any]  # Any: JSON of an upstream

_BYTES_PER_TOKEN = 4  # about what English text has


def usage_from_wire(chunk: JsonObject, choice: JsonObject | None) -> JsonObject | None:
    """The usage object of a chunk or a completion, None where it has none.

    Where the usual place has none: Moonshot's streams have it in the last *choice*
    (https://github.com/earendil-works/pi/issues/2017), Groq's in ``x_groq`` (groq-python,
    src/groq/types/chat/chat_completion_chunk.py); both may tell it again in the usual place. llama.cpp tells its
    timings instead where no usage was asked for.
    """
    for holder in (chunk, choice, chunk.get("x_groq")):
        if isinstance(holder, dict) and isinstance(usage := holder.get("usage"), dict) and usage:
            return usage
    timings = chunk.get("timings")
    if not isinstance(timings, dict):
        return None
    cached = _count(timings, "cache_n")
    return {
        "prompt_tokens": _count(timings, "prompt_n") + cached,
        "completion_tokens": _count(timings, "predicted_n"),
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def usage_of(wire: JsonObject, *, input_estimate: int, output_bytes: int) -> Usage:
    """Tokens as Anthropic counts them: input without what a cache gave or took, thinking within the output.

    A number that is missing or nought is an estimate: there is no prompt without tokens. Output is reckoned at four
    bytes of UTF-8 a token, which does not depend on how the server cuts it.
    """
    prompt = _count(wire, "prompt_tokens") or input_estimate
    details = _object(wire, "prompt_tokens_details")
    # DeepSeek's name: https://api-docs.deepseek.com/guides/kv_cache, and Moonshot's: vercel/ai,
    # packages/moonshotai/src/convert-moonshotai-chat-usage.ts
    read = _count(details, "cached_tokens") or _count(wire, "prompt_cache_hit_tokens") or _count(wire, "cached_tokens")
    # OpenAI's and OpenRouter's name, and LiteLLM's for Anthropic's own numbers; all of them count it as prompt.
    written = _count(details, "cache_write_tokens") or _count(wire, "cache_creation_input_tokens")
    read = min(read, prompt)
    written = min(written, prompt - read)
    completion = _count(wire, "completion_tokens")
    thinking = _count(_object(wire, "completion_tokens_details"), "reasoning_tokens")
    if thinking and _count(wire, "total_tokens") == prompt + completion + thinking:
        # xAI counts the thinking beside the completion: https://github.com/vercel/ai/pull/12425
        completion += thinking
    output = completion or -(-output_bytes // _BYTES_PER_TOKEN)
    return Usage(
        input_tokens=prompt - read - written,
        output_tokens=output,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        thinking_tokens=min(thinking, output),
    )


def utf8_bytes(text: str) -> int:
    """The length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def _object(wire: JsonObject, name: str) -> JsonObject:
    value = wire.get(name)
    return value if isinstance(value, dict) else {}


def _count(wire: JsonObject, name: str) -> int:
    value = wire.get(name)
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return max(0, value) if isinstance(value, int) else 0
