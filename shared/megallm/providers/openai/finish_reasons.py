"""Why a reply ended, in the words of Anthropic's API (contract C11)."""

from collections.abc import Mapping
from typing import Any

from megallm.errors import GatewayError, UpstreamFailed, UpstreamOverloaded, clip
from megallm.messages.events import StopReason

JsonObject = Mapping[str, Any]  # Any: JSON of an upstream

# What is not here is an end like any other: eos_token, stop_sequence and whatever else servers call it. Whether tools
# were called is seen from the reply: servers say "stop" after calls, and "tool_calls" after none.
_REASONS: Mapping[str, StopReason] = {
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "model_context_window_exceeded",  # Mistral's: the context is full
    "model_context_window_exceeded": "model_context_window_exceeded",
    "content_filter": "refusal",
    "refusal": "refusal",
}
# Where the upstream broke off: nothing that could be passed on as an end.
_FAILURES: Mapping[str, type[GatewayError]] = {
    "error": UpstreamFailed,  # OpenRouter, Mistral
    "abort": UpstreamFailed,  # vLLM, SGLang
    "insufficient_system_resource": UpstreamOverloaded,  # https://api-docs.deepseek.com/api/create-chat-completion
}
# Where a choice tells which stop sequence hit: vLLM, SGLang, and llama.cpp when it is told to be verbose. The first
# two put the number of a token there as well.
_STOPPED_AT = ("stop_reason", "matched_stop", "stopping_word")


def stop_reason(finish_reason: str, *, refused: bool, calls: bool) -> StopReason:
    """The reason in Anthropic's words. Raises UpstreamFailed or UpstreamOverloaded where it is no end at all."""
    failure = _FAILURES.get(finish_reason)
    if failure is not None:
        raise failure("The upstream broke off its reply")
    reason = _REASONS.get(finish_reason, "end_turn")
    if reason == "end_turn" and refused:
        return "refusal"
    return "tool_use" if reason == "end_turn" and calls else reason


def stopped_at(choice: JsonObject, chunk: JsonObject) -> str:
    """The stop sequence at which the server says that it stopped; empty where it does not tell."""
    verbose = chunk.get("__verbose")
    for told in (choice, verbose if isinstance(verbose, dict) else {}):
        for name in _STOPPED_AT:
            if isinstance(told.get(name), str):
                return str(told[name])
    return ""


def stop_details(refusal: str, filtered: str) -> JsonObject:
    """What ``stop_details`` says of a refusal: the model's own words, or what the filter found.

    The categories are Anthropic's own policies, so that none is ever named.
    """
    found = f" ({filtered})" if filtered else ""
    explanation = refusal or f"The model provider's content filter ended the reply{found}."
    return {"type": "refusal", "category": None, "explanation": explanation}


def filtered(choice: JsonObject) -> str:
    """The names of what Azure's content filter found, such as ``violence``; empty where it tells none."""
    results = choice.get("content_filter_results")
    if not isinstance(results, dict):
        return ""
    return ", ".join(
        clip(str(name), 40) for name, result in results.items() if isinstance(result, dict) and result.get("filtered")
    )
