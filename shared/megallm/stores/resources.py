"""What a gateway keeps in AWS: tables with their keys, and queues. The stack and the local AWS make both from here."""

from dataclasses import dataclass
from typing import Literal

PREFIX = "megallm"  # Of every name: the default of the stack's own, and of the settings.

# Below these in the bucket are the jobs, what is not finished of them, and what is.
INBOX = "inbox/"
UPLOADS = "uploads/"  # what `megallm batch submit` sends
CHECKPOINTS = "work/"
RESULTS = "results/"


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table. Keys are strings; ``ttl`` is the attribute by which items go, None where they stay."""

    role: str
    partition_key: str = "id"
    sort_key: str | None = None
    ttl: str | None = None


KEYS = Table("keys")
LIMITS = Table("limits", ttl="ttl")
BATCHES = Table("batches", partition_key="pk", sort_key="sk", ttl="ttl")
TABLES = (KEYS, LIMITS, BATCHES)

QUEUES = ("intake", "work", "finish")


def name_of(role: str, prefix: str = PREFIX) -> str:
    """The name of a table or a queue."""
    return f"{prefix}-{role}"


def key_schema(table: Table) -> list[tuple[str, Literal["HASH", "RANGE"]]]:
    """Attribute and key type, as CreateTable has them."""
    keys: list[tuple[str, Literal["HASH", "RANGE"]]] = [(table.partition_key, "HASH")]
    return keys if table.sort_key is None else [*keys, (table.sort_key, "RANGE")]
