"""Whether events are a beginning of a legal stream (contract C25), whatever provider they come from."""

from collections.abc import Iterable

from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)

_DELTAS = {
    "text": (TextDelta,),
    "thinking": (ThinkingDelta, SignatureDelta),
    "tool_use": (InputJsonDelta,),
}


def assert_legal(events: Iterable[Event], *, whole: bool = False) -> None:
    """Raises AssertionError at the first event that may not stand where it stands.

    Each event is judged by those before it, so that every beginning of legal events is legal. *whole* events also
    end as they must.
    """
    started = ended = stopped = False
    blocks = 0
    kind: object = None  # of the block that is open
    ids: set[object] = set()
    for event in events:
        assert not stopped, f"{event} stands after message_stop"
        assert started or isinstance(event, MessageStart), f"{event} stands before message_start"
        assert not ended or isinstance(event, MessageStop), f"{event} stands after message_delta"
        match event:
            case MessageStart():
                assert not started, "message_start stands twice"
                assert event.usage.prompt_tokens > 0, "message_start has no input tokens"
                started = True
            case BlockStart():
                assert (kind, event.index) == (None, blocks), f"{event} does not follow block {blocks - 1}"
                kind = event.block["type"]
                blocks += 1
                if kind == "tool_use":
                    assert event.block["id"] not in ids, f"{event} has the id of another call"
                    ids.add(event.block["id"])
            case BlockStop():
                assert (kind is None, event.index) == (False, blocks - 1), f"{event} ends no open block"
                kind = None
            case MessageDelta():
                assert kind is None, "message_delta stands in a block"
                ended = True
            case MessageStop():
                assert ended, "message_stop stands before message_delta"
                stopped = True
            case _:
                allowed = _DELTAS.get(str(kind), ())
                assert isinstance(event, allowed), f"{event} stands in a block of type {kind}"
                assert event.index == blocks - 1, f"{event} is not of block {blocks - 1}"
    assert stopped or not whole, "message_stop is missing"
