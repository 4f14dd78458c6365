"""Writes AWS event-stream messages: what Bedrock's streaming operations send. botocore only reads them.

Format: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
(total length, length of the headers, CRC-32 of these two; headers; payload; CRC-32 of everything before).
"""

import struct
from binascii import crc32
from collections.abc import Mapping

_STRING = 7


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message whose headers are all strings."""
    encoded = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _STRING, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(encoded) + len(payload), len(encoded))
    prelude += struct.pack("!I", crc32(prelude))
    body = prelude + encoded + payload
    return body + struct.pack("!I", crc32(body))


def event(kind: str, payload: bytes) -> bytes:
    """An event of this type."""
    return message({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """An exception in the middle of a stream."""
    return message(
        {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}, payload
    )


def endless(payload_bytes: int) -> bytes:
    """The beginning of a message that announces this many bytes."""
    prelude = struct.pack("!II", 16 + payload_bytes, 0)
    return prelude + struct.pack("!I", crc32(prelude)) + b"x" * 1024
