"""Writes what Bedrock sends: frames of an event stream, and the events of its two APIs in them.

Source of the format: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import struct
from base64 import b64encode
from binascii import crc32
from collections.abc import Mapping, Sequence

from pydantic_core import to_json

Event = tuple[str, Mapping[str, object]]

_STRING = 7  # the type of a header's value


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with its checksums."""
    packed = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", crc32(prelude)) + packed + payload
    return message + struct.pack(">I", crc32(message))


def event(name: str, payload: Mapping[str, object]) -> bytes:
    """An event of ConverseStream; beside it Bedrock puts padding of a random length."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, to_json({**payload, "p": "abcdefghijklm"}))


def exception(name: str, payload: Mapping[str, object]) -> bytes:
    """What comes in place of the rest of a stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, to_json(payload))


def chunk(payload: Mapping[str, object]) -> bytes:
    """An event of our own format, as InvokeModelWithResponseStream wraps it."""
    return event("chunk", {"bytes": b64encode(to_json(payload)).decode()})


def converse_frames(events: Sequence[Event]) -> bytes:
    """A whole reply of ConverseStream."""
    return b"".join(event(name, payload) for name, payload in events)


def invoke_frames(events: Sequence[Mapping[str, object]]) -> bytes:
    """A whole reply of InvokeModelWithResponseStream."""
    return b"".join(chunk(payload) for payload in events)
