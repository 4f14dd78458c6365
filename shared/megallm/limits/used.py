"""How many tokens a call has used of its key's allowance."""

from megallm.messages.events import Usage


def used_tokens(usage: Usage) -> int:
    """Input and output. What was read from a cache is free, as in Anthropic's own limits; writing to one is not."""
    return usage.input_tokens + usage.cache_creation_input_tokens + usage.output_tokens
