"""Folding events gives the reply that a client of the stream ends up with."""

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import BlockStart, BlockStop, Reply, Usage
from megallm.messages.fold import fold
from tests.fakes import text_reply


def test_a_text_reply_folds_to_one_block() -> None:
    """The pieces are joined; reason and usage come from message_delta."""
    usage = Usage(input_tokens=3, output_tokens=2)

    reply = fold(text_reply("a", "b", usage=usage, stop_reason="max_tokens"))

    assert reply == Reply(({"type": "text", "text": "ab"},), "max_tokens", usage)


def test_a_stream_that_breaks_off_is_no_reply() -> None:
    """Every proper beginning of a stream is refused: silence would be data loss (C28)."""
    events = text_reply("a", "b")

    for length in range(len(events)):
        with pytest.raises(UpstreamFailed):
            fold(events[:length])


def test_a_block_of_another_type_passes_as_it_started() -> None:
    """Blocks without deltas carry everything in their start."""
    block = {"type": "redacted_thinking", "data": "xyz"}
    start, *rest = text_reply()

    assert fold([start, BlockStart(0, block), BlockStop(0), *rest]).content == (block,)
