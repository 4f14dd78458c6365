"""The ids that the gateway gives out, in the shapes that Anthropic's clients know."""

import secrets


def new_message_id() -> str:
    """``msg_`` and 24 characters."""
    return f"msg_{secrets.token_hex(12)}"


def new_request_id() -> str:
    """``req_`` and 24 characters; it stands in the header, in an error's body and in the log."""
    return f"req_{secrets.token_hex(12)}"


def new_tool_use_id() -> str:
    """``toolu_`` and 24 characters."""
    return f"toolu_{secrets.token_hex(12)}"
