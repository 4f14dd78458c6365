"""Reads the events of a reply that is relayed unread otherwise, for one that is to be judged. Pure."""

from typing import Any

from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    Relayed,
    SignatureDelta,
    StreamEvent,
    ThinkingDelta,
)
from megallm.messages.native.payloads import json_object
from megallm.messages.sse import SseDecoder
from megallm.providers.whole_replies import block_events

_Json = dict[str, Any]  # Any: JSON of an upstream


class ReadReply:
    """One reply, whose order was seen to before: thinking as it comes, each other block whole at its end.

    Those are held back anyway, and so may have deltas of any kind.
    """

    def __init__(self) -> None:
        self._frames = SseDecoder()
        self._block: _Json = {}  # the one that is open, as far as it came
        self._input: list[str] = []

    def feed(self, event: StreamEvent) -> list[Event]:
        """What becomes of it; nothing, where it is no part of the reply. Raises UpstreamFailed for what is no event."""
        if not isinstance(event, Relayed):
            return [event]
        return [read for sent in self._frames.feed(event.frame) for read in self._read(json_object(sent.data.encode()))]

    def _read(self, payload: _Json) -> list[Event]:
        match payload:
            case {"type": "content_block_start", "index": int(index), "content_block": dict(block)}:
                self._block, self._input = dict(block), []
                return [BlockStart(index, block)] if self._is_thinking else []
            case {"type": "content_block_delta", "index": int(index), "delta": dict(delta)}:
                return self._delta(index, delta)
            case {"type": "content_block_delta"}:
                raise UpstreamFailed("The upstream sent an event that cannot be read")
            case {"type": "content_block_stop", "index": int(index)}:
                return [*([] if self._is_thinking else block_events(index, self._whole())), BlockStop(index)]
            case _:
                return []

    @property
    def _is_thinking(self) -> bool:
        return self._block.get("type") == "thinking"

    def _delta(self, index: int, delta: _Json) -> list[Event]:
        match delta:
            case {"type": "thinking_delta", "thinking": str(thinking)} if self._is_thinking:
                return [ThinkingDelta(index, thinking)]
            case {"type": "signature_delta", "signature": str(signature)} if self._is_thinking:
                return [SignatureDelta(index, signature)]
            case {"type": "text_delta", "text": str(text)}:
                self._block["text"] = f"{self._block.get('text') or ''}{text}"
            case {"type": "input_json_delta", "partial_json": str(part)}:
                self._input.append(part)
            case {"type": "citations_delta", "citation": citation}:
                self._block["citations"] = [*(self._block.get("citations") or ()), citation]
            case _:  # such as compaction_delta, which has the members of its block
                self._block |= {name: value for name, value in delta.items() if name != "type"}
        return []

    def _whole(self) -> _Json:
        written = "".join(self._input)
        if not written.strip():
            return self._block
        try:
            return {**self._block, "input": from_json(written, allow_partial=True)}  # max_tokens may have cut it
        except ValueError as error:
            raise UpstreamFailed("The upstream sent a tool call whose input is not valid JSON") from error
