"""What a chat-completions server's refusal means for the caller (contract C32)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from megallm.errors import GatewayError, InvalidRequest, UpstreamMisconfigured, clip
from megallm.providers.openai.errors_body import Redact, Said, read_error
from megallm.providers.openai.errors_overflow import Sizes, overflow
from megallm.providers.refusals import refusal


@dataclass(frozen=True, slots=True)
class Filtered:
    """The upstream's content filter refused the prompt, for what ``found`` names, if it tells.

    No error: Anthropic's API answers such a prompt with a message whose stop_reason is ``refusal``, clients know what
    to do with that, and a batch's item has then its result.
    """

    found: str = ""


# Azure: https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter; OpenAI refuses prompts to its
# reasoning models as invalid_prompt.
_FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "invalid_prompt"}
)
# DeepSeek; LiteLLM, which wraps everybody's.
_FILTER_TEXT = re.compile(r"content exists risk|ContentPolicyViolationError", re.IGNORECASE)
# The account behind our key is empty: OpenAI says so with a 429, which no waiting cures.
_BILLING_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
# Google calls a bad key a bad request.
_KEY_TEXT = re.compile(r"\bAPI[ _-]?key\b", re.IGNORECASE)
# llama.cpp: a server error, though it is the request that cannot be honoured.
_CANNOT_TEXT = re.compile(r"(?:image|audio) input is not supported", re.IGNORECASE)
# Of a 413; no other message that comes this far is told.
_TOO_LARGE = "The request is too large for the model's provider"

# Fields of a chat-completions request and where they come from.
_PARAMS: Mapping[str, str] = {
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "messages": "messages",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "reasoning_effort": "thinking",
    "response_format": "output_config.format",
    "safety_identifier": "metadata.user_id",
    "stop": "stop_sequences",
    "temperature": "temperature",
    "tool_choice": "tool_choice",
    "tools": "tools",
    "top_k": "top_k",
    "top_p": "top_p",
    "user": "metadata.user_id",
}


def refused(
    status: int, headers: Mapping[str, str], body: bytes, sizes: Sizes, redact: Redact = str
) -> GatewayError | Filtered:
    """The error for a response that is none, or that the content filter spoke. *redact* takes our keys out of it."""
    return meaning(status, headers, read_error(body), sizes, redact)


def meaning(
    status: int, headers: Mapping[str, str], said: Said, sizes: Sizes, redact: Redact = str
) -> GatewayError | Filtered:
    """The same for an error that was read. *headers* have names in lower case.

    What it means is seen in the server's own words, of which a secret may be one: *redact* is for what is told.
    """
    if status in (400, 403, 422) and _is_filter(said):
        return Filtered(clip(redact(said.filtered)))
    if status in (400, 413, 422, 500) and (too_long := overflow(said, sizes, redact)) is not None:
        return too_long
    if {said.code, said.type} & _BILLING_CODES:
        return UpstreamMisconfigured("The gateway's account with this model's provider is used up")
    if status in (400, 422) and _KEY_TEXT.search(said.words):
        return refusal(401, "")
    if status == 500 and _CANNOT_TEXT.search(said.words):
        return InvalidRequest(f"messages: the model's provider says: {said.told(redact)}", param="messages")
    if status in (400, 422):
        param = _param(said.param)
        text = said.told(redact) or "no reason given"
        return refusal(status, f"The model's provider refuses the request: {text}", headers=headers, param=param)
    return refusal(status, said.told(redact) or _TOO_LARGE, headers=headers)


def _is_filter(said: Said) -> bool:
    return bool({said.code, said.type, said.inner_code} & _FILTER_CODES or _FILTER_TEXT.search(said.words))


def _param(param: str) -> str | None:
    """Where the field stands in our request; its indices there are others."""
    return _PARAMS.get(re.split(r"[.\[]", param, maxsplit=1)[0])
