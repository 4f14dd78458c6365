"""What the error bodies of chat-completions servers say, whatever their shape."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic_core import from_json

from megallm.errors import clip

_LETTERS = 500
_WORDS_LETTERS = 10_000
# From here on LiteLLM tells of its own routing.
_LITELLM_ROUTING = ("\nReceived Model Group=", " Received Model Group=")


@dataclass(frozen=True, slots=True)
class Said:
    """An upstream's error, as it came: ``words`` is what to look at, ``told`` what a caller may read.

    ``code``, ``type`` and ``inner_code`` are in lower case; the tokens are those that it names in fields; ``filtered``
    are the names of what a content filter found.
    """

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""
    inner_code: str = ""
    filtered: str = ""
    prompt_tokens: int | None = None
    context_tokens: int | None = None

    @property
    def words(self) -> str:
        """What the message says, on one line, without what LiteLLM tells of its own routing."""
        return _clean(self.message[:_WORDS_LETTERS])

    def told(self, redact: "Redact") -> str:
        """The same, short, without what *redact* takes out of it: before it is cut, or half a key would stay."""
        return clip(_clean(redact(self.message)), _LETTERS)


Redact = Callable[[str], str]


def read_error(body: bytes) -> Said:
    """Nothing where the body is no JSON: a proxy's HTML page is not for the caller.

    ``{"error": {"message", "type", "param", "code"}}`` is OpenAI's shape and, with small changes, everyone's. Older
    vLLM has the inner object at the top, Ollama's own routes ``{"error": "text"}``, FastAPI ``{"detail": "text"}``
    or a list of ``{"msg"}``, Google a list around it all, Azure's gateway ``{"statusCode", "message"}``.
    """
    try:
        value = from_json(body)
    except ValueError:
        return Said()
    return said_in(value)


def said_in(value: object) -> Said:
    """The same of a body that was parsed."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, Mapping):
        return Said()
    error = value.get("error", value)
    if isinstance(error, str):
        return Said(error)
    if not isinstance(error, Mapping):
        return Said()
    inner = error.get("innererror")
    inner = inner if isinstance(inner, Mapping) else {}
    return Said(
        message=_text(error, "message") or _detail(error.get("detail")),
        type=_text(error, "type").lower(),
        code=_text(error, "code").lower(),
        param=_text(error, "param"),
        inner_code=_text(inner, "code").lower(),
        filtered=_filtered(inner.get("content_filter_result")),
        prompt_tokens=_number(error, "n_prompt_tokens"),
        context_tokens=_number(error, "n_ctx"),
    )


def _text(error: Mapping[str, object], name: str) -> str:
    value = error.get(name)
    return str(value) if isinstance(value, str | int) else ""


def _number(error: Mapping[str, object], name: str) -> int | None:
    value = error.get(name)
    return value if type(value) is int else None


def _filtered(results: object) -> str:
    if not isinstance(results, Mapping):
        return ""
    found = [name for name, result in results.items() if isinstance(result, Mapping) and result.get("filtered")]
    return ", ".join(map(str, found))


def _detail(detail: object) -> str:
    if isinstance(detail, list):
        return "; ".join(_text(part, "msg") for part in detail if isinstance(part, Mapping))
    return detail if isinstance(detail, str) else ""


def _clean(text: str) -> str:
    for mark in _LITELLM_ROUTING:
        text = text.partition(mark)[0]
    return " ".join(text.split())
