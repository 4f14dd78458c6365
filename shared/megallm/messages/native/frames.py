"""Frames of our wire around payloads that came as they are: every byte of them stays, on ``data:`` lines."""

import re

from megallm.errors import UpstreamFailed

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_DELTA = b"event: content_block_delta\ndata: %b\n\n"
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'


def frame(name: str, payload: bytes) -> bytes:
    """An event of this name. Raises UpstreamFailed for a name that would not stay on its line."""
    if not _NAME.fullmatch(name):
        raise UpstreamFailed("The upstream sent an event without a proper name")
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _on_data_lines(payload))


def delta_frame(payload: bytes) -> bytes:
    """The frame that nearly all events of a stream are."""
    return _DELTA % _on_data_lines(payload)


def stop_frame(index: int) -> bytes:
    """The end of a content block that the upstream did not end."""
    return _STOP % index


def _on_data_lines(payload: bytes) -> bytes:
    if b"\n" in payload or b"\r" in payload:
        return _LINE_END.sub(b"\ndata: ", payload)
    return payload
