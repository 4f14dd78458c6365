"""Why a reply ended, from an upstream that speaks our own format more or less."""

from collections.abc import Sequence
from typing import cast

from megallm.messages.events import JsonObject, StopReason


def stop_of(ending: JsonObject, stop_sequences: Sequence[str]) -> tuple[StopReason | None, str | None]:
    """The reason (None where none is given yet) and the stop sequence of a message, or of message_delta's ``delta``.

    llama.cpp says ``end_turn`` for a stop sequence that it found, and names those of its chat template as well: the
    request's make the reason ``stop_sequence`` (C12), others are not the caller's business.
    """
    reason, sequence = ending.get("stop_reason"), ending.get("stop_sequence")
    if not isinstance(reason, str):
        return None, None
    if not isinstance(sequence, str) or (reason != "stop_sequence" and sequence not in stop_sequences):
        sequence = None
    elif reason == "end_turn":
        reason = "stop_sequence"
    return cast(StopReason, reason), sequence  # an upstream's newer reasons pass as well


def stop_details_of(ending: JsonObject) -> JsonObject | None:
    """What the upstream says about a refusal."""
    details = ending.get("stop_details")
    return details if isinstance(details, dict) else None


def later(ending: JsonObject, then: object) -> JsonObject:
    """The ``delta`` of one message_delta and of the next: what is said later counts, unless it is null."""
    if not isinstance(then, dict):
        return ending
    return {**ending, **{name: value for name, value in then.items() if value is not None or name not in ending}}
