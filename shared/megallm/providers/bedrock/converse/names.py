"""Names of tools and ids of calls as Converse takes them, and back (contract C20)."""

import re
from hashlib import sha256

# Source: ToolName and ToolUseId of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 47  # letters of a name that stay in front of its hash
_HASHED = 16


class Names:
    """The names of one request. ``originals`` has those that had to be changed, by what was sent for them."""

    def __init__(self) -> None:
        self.originals: dict[str, str] = {}

    def tool(self, name: str) -> str:
        """The name as it is, or shortened with a hash of the whole."""
        if _NAME.fullmatch(name):
            return name
        short = f"{_NOT_IN_A_NAME.sub('_', name)[:_KEPT]}_{_hash(name)}"
        self.originals[short] = name
        return short


def call_id(identifier: str) -> str:
    """The id of a call in the history; the client never sees what it becomes."""
    return identifier if _ID.fullmatch(identifier) else f"toolu_{_hash(identifier)}"


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASHED]
