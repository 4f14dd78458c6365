"""What can go wrong in the middle of a stream: the ends that it can have, errors, frames that are too large."""

from collections.abc import Callable

from tests.contract.upstreams import aws_frames
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.faults import half, open_answer
from tests.contract.upstreams.http_bytes import LAST_CHUNK, chunk, chunked
from tests.contract.upstreams.listener import Close, Received, Reset, Script, Send, Stall


def died_after(frames: int, how: Close | Reset | None) -> Callable[[Dialect, Received], Script]:
    """A stream that ends after so many frames, in order (None) or torn off."""

    def script(dialect: Dialect, received: Received) -> Script:
        sent = dialect.frames()[:frames]
        if how is None:
            return chunked(sent, dialect.stream_type)
        return [open_answer(dialect, received), *map(chunk, sent), how]

    return script


def error_in_the_middle(dialect: Dialect, received: Received) -> Script:
    """An error event after half of a reply."""
    return [*half(dialect, received), chunk(dialect.error_frame()), LAST_CHUNK]


def no_http_in_the_middle(dialect: Dialect, received: Received) -> Script:
    """Half of a reply, then a chunk without a size, and the connection stays open."""
    return [*half(dialect, received), Send(b"xyz\r\n"), Stall()]


def error_at_once(dialect: Dialect, received: Received) -> Script:
    """A 200 whose stream holds nothing but an error."""
    return chunked([dialect.error_frame()], dialect.stream_type)


BIG_TEXT = "x" * 2_000_000
TOO_BIG = 17 * 1024 * 1024


def big_frame(dialect: Dialect, received: Received) -> Script:
    """A frame of 2 MB in the middle of the text."""
    frames = list(dialect.frames())
    at = next(index for index, frame in enumerate(frames) if frame == dialect.text_frame(", world"))
    return chunked([*frames[:at], dialect.text_frame(BIG_TEXT), *frames[at:]], dialect.stream_type)


def endless_frame(dialect: Dialect, received: Received) -> Script:
    """A frame that is larger than any can be."""
    if dialect.stream_type.startswith("text/"):
        piece = b"data: " + b"x" * 1024 * 1024
        pieces = [chunk(piece) for _ in range(TOO_BIG // len(piece) + 1)]
    else:
        pieces = [chunk(aws_frames.endless(TOO_BIG * 8))]
    return [*half(dialect, received), *pieces, Stall()]
