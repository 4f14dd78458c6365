"""How chat-completions servers say that a prompt is too long, and how Anthropic says it (contract C33)."""

import re
from collections.abc import Callable

from megallm.errors import InvalidRequest
from megallm.messages.frozen import frozen
from megallm.providers.openai.errors_body import Redact, Said

_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})

# Each with the tokens of the prompt and those that fit, as far as the text has them. The first that fits counts.
_TEXTS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # Anthropic's own, from a gateway before it.
        r"prompt is too long: (?P<prompt>\d+) tokens > (?P<context>\d+) maximum",
        # OpenAI, https://github.com/langchain-ai/langchain/issues/24058; DeepSeek says it in the same words.
        r"maximum context length is (?P<context>\d+) tokens.*?resulted in (?P<prompt>\d+) tokens",
        r"maximum context length is (?P<context>\d+) tokens.*?\((?:about )?(?P<prompt>\d+) "
        r"(?:in the messages|of text input)",
        # vLLM, https://github.com/vllm-project/vllm/issues/33418. It stops counting at the first token that is too
        # many: "at least" is a bound and not the size of the prompt.
        r"maximum context length is (?P<context>\d+) tokens.*?prompt contains at least (?P<least>\d+) input tokens",
        r"maximum context length is (?P<context>\d+) tokens.*?"
        r"(?:prompt contains|your request has) (?P<prompt>\d+) input tokens",
        r"decoder prompt \(length (?P<prompt>\d+)\) is longer than the maximum model length of (?P<context>\d+)",
        # llama.cpp, https://github.com/ggml-org/llama.cpp/pull/15780, and its Python server.
        r"request \((?P<prompt>\d+) tokens\) exceeds the available context size \((?P<context>\d+) tokens\)",
        r"requested tokens \((?P<prompt>\d+)\) exceed context window of (?P<context>\d+)",
        # SGLang.
        r"input \((?P<prompt>\d+) tokens\) is longer than the model's context length \((?P<context>\d+) tokens\)",
        r"maximum context length of (?P<context>\d+) tokens.*?(?P<prompt>\d+) tokens from the input messages",
        # Mistral, Google.
        r"prompt contains (?P<prompt>\d+) tokens.*?model with (?P<context>\d+) maximum context length",
        r"input token count \((?P<prompt>\d+)\) exceeds the maximum number of tokens allowed \((?P<context>\d+)\)",
        # Texts with one number or none.
        r"maximum context length is (?P<context>\d+)",
        r"exceeds the context window of this model",
        r"exceeds the available context size",
        # Ollama, llm/llama_server.go.
        r"prompt is longer than the context length currently available",
        r"input length exceeds the context length",
    )
)


@frozen
class Sizes:
    """What we know of a request's size: tokens of its prompt (counted when asked), its reply's, and the context's."""

    prompt: Callable[[], int]
    max_tokens: int
    context: int | None


def overflow(said: Said, sizes: Sizes, redact: Redact = str) -> InvalidRequest | None:
    """The error that clients match, where the upstream's is about the context; None where it is not.

    Numbers are the upstream's, else the catalogue's and our own count. Where the prompt alone would fit, the words
    are those in which Anthropic's API says that it and ``max_tokens`` together do not. *redact* is for its own words.
    """
    words = said.words
    found = next((match for text in _TEXTS if (match := text.search(words))), None)
    if found is None and not {said.code, said.type} & _CODES:
        return None
    numbers = {name: int(digits) for name, digits in (found.groupdict() if found else {}).items() if digits}
    context = said.context_tokens or numbers.get("context") or sizes.context
    prompt = said.prompt_tokens or numbers.get("prompt") or max(sizes.prompt(), numbers.get("least", 0))
    if context is None:
        return InvalidRequest(f"prompt is too long: {said.told(redact)}", param="messages")
    if prompt > context:
        return InvalidRequest(f"prompt is too long: {prompt} tokens > {context} maximum", param="messages")
    if prompt + sizes.max_tokens > context:
        return InvalidRequest(
            f"input length and `max_tokens` exceed context limit: {prompt} + {sizes.max_tokens} > {context}, "
            "decrease input length or `max_tokens` and try again",
            param="max_tokens",
        )
    return InvalidRequest(f"prompt is too long: more tokens than the {context} maximum", param="messages")
