"""How usage is shown: as JSON for scripts, and as the rows of a table with their total."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from megallm.batches.model import Spent
    from megallm.limits.ledger import Used
    from megallm.operations.tell_usage import BatchesUsed, KeyUsage

COLUMNS = ("id", "name", "tier", "of", "requests", "input tokens", "output tokens", "cost")


def shown(found: Sequence["KeyUsage"]) -> dict[str, object]:
    """Each key, and all together. ``cost_usd`` is null where no model had a price."""
    messages, batches = _totals(found)
    return {
        "keys": [
            {
                "id": usage.id,
                "name": None if usage.key is None else usage.key.name,
                "tier": None if usage.key is None else usage.key.tier,
                "messages": _messages(usage.messages),
                "batches": _batches(usage.batches),
            }
            for usage in found
        ],
        "total": {"messages": _messages(messages), "batches": _batches(batches)},
    }


def rows(found: Sequence["KeyUsage"]) -> Iterator[Sequence[str]]:
    """A row for the messages of a key and one for its batches, if there are some, and at the end the total of all."""
    for usage in found:
        name, tier = ("-", "-") if usage.key is None else (usage.key.name or "-", usage.key.tier)
        used, spent, count = usage.messages, usage.batches.spent, usage.batches.batches
        if used.requests or not count:
            figures = _figures(used.requests, used.input_tokens, used.output_tokens, used.nanodollars)
            yield usage.id, name, tier, "messages", *figures
        if count:
            figures = _figures(spent.calls, spent.input_tokens, spent.output_tokens, _nanodollars(spent))
            yield usage.id, name, tier, f"{count:,} batch{'es' if count > 1 else ''}", *figures
    messages, batches = _totals(found)
    spent = batches.spent
    costs = [messages.nanodollars, _nanodollars(spent) if batches.batches else None]
    known = [cost for cost in costs if cost is not None]
    yield (
        "total",
        "",
        "",
        "",
        *_figures(
            messages.requests + spent.calls,
            messages.input_tokens + spent.input_tokens,
            messages.output_tokens + spent.output_tokens,
            sum(known) if known else None,
        ),
    )


def _totals(found: Sequence["KeyUsage"]) -> "tuple[Used, BatchesUsed]":
    from megallm.limits.ledger import Used
    from megallm.operations.tell_usage import NO_BATCHES

    messages, batches = Used(), NO_BATCHES
    for usage in found:
        messages, batches = messages.plus(usage.messages), batches.plus(usage.batches)
    return messages, batches


def _messages(used: "Used") -> dict[str, object]:
    return {
        "requests": used.requests,
        "input_tokens": used.input_tokens,
        "cache_read_tokens": used.cache_read_tokens,
        "cache_write_tokens": used.cache_write_tokens,
        "output_tokens": used.output_tokens,
        "cost_usd": None if used.nanodollars is None else used.nanodollars / 1e9,
    }


def _batches(used: "BatchesUsed") -> dict[str, object]:
    return {
        "batches": used.batches,
        "calls": used.spent.calls,
        "input_tokens": used.spent.input_tokens,
        "output_tokens": used.spent.output_tokens,
        "cost_usd": used.spent.dollars,
    }


def _nanodollars(spent: "Spent") -> int | None:
    return None if spent.dollars is None else spent.microdollars * 1000


def _figures(
    requests: int, input_tokens: int, output_tokens: int, nanodollars: int | None
) -> tuple[str, str, str, str]:
    cost = "-" if nanodollars is None else f"${nanodollars / 1e9:,.4f}"
    return f"{requests:,}", f"{input_tokens:,}", f"{output_tokens:,}", cost
