"""Usage objects of an upstream that speaks our own format."""

from collections.abc import Mapping
from dataclasses import replace

from megallm.messages.events import Usage

_NOTHING = Usage()


def native_usage(value: object, before: Usage = _NOTHING) -> Usage:
    """The numbers of a usage object; what it leaves out, or has as null, stands as it was *before*.

    An upstream that sends no object at all is survived: what was known stays.
    """
    if not isinstance(value, Mapping):
        return Usage(
            before.input_tokens,
            before.output_tokens,
            before.cache_read_input_tokens,
            before.cache_creation_input_tokens,
            before.thinking_tokens,
        )
    details = value.get("output_tokens_details")
    return Usage(
        input_tokens=_count(value, "input_tokens", before.input_tokens),
        output_tokens=_count(value, "output_tokens", before.output_tokens),
        cache_read_input_tokens=_count(value, "cache_read_input_tokens", before.cache_read_input_tokens),
        cache_creation_input_tokens=_count(value, "cache_creation_input_tokens", before.cache_creation_input_tokens),
        thinking_tokens=(
            _count(details, "thinking_tokens", before.thinking_tokens)
            if isinstance(details, Mapping)
            else before.thinking_tokens
        ),
        native=value,
    )


def tells_output(value: object) -> bool:
    """Whether a usage object, if it is one, has a figure of the output."""
    return isinstance(value, Mapping) and _count(value, "output_tokens", -1) >= 0


def with_input(usage: Usage, estimate: int) -> Usage:
    """The usage, with the *estimate* where it has no input at all: there is no prompt without tokens (C25)."""
    return usage if usage.prompt_tokens else replace(usage, input_tokens=max(1, estimate))


def _count(value: Mapping[str, object], name: str, before: int) -> int:
    number = value.get(name)
    return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else before
