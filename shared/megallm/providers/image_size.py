"""What the first bytes of an image say: its kind, and its width and height. Nothing is decoded.

Sources: PNG (W3C) 5.2 and 11.2.2, GIF89a 17 and 18, JPEG (ITU-T T.81) B.1.1 and B.2.2, WebP (RFC 9649) 2.5 to 2.7.
"""

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
# Start of frame, in all processes of JPEG; C4, C8 and CC mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def media_type_of(image: bytes) -> str | None:
    """``image/png``, ``image/jpeg``, ``image/gif`` or ``image/webp``; None for anything else."""
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES.items() if image.startswith(signature)), None)


def size_of(image: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None where the bytes do not say."""
    match media_type_of(image):
        case "image/png" if image[12:16] == b"IHDR" and len(image) >= 24:
            size = int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")
        case "image/gif" if len(image) >= 10:
            size = int.from_bytes(image[6:8], "little"), int.from_bytes(image[8:10], "little")
        case "image/jpeg":
            return _jpeg_size(image)
        case "image/webp" if len(image) >= 30:
            return _webp_size(image)
        case _:
            return None
    return size if all(size) else None


def _jpeg_size(image: bytes) -> tuple[int, int] | None:
    """Segments are skipped until one begins a frame. A thumbnail in one of them is skipped with it."""
    at = 2
    while at + 9 <= len(image) and image[at] == 0xFF:
        marker = image[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAMES:
            height, width = int.from_bytes(image[at + 5 : at + 7], "big"), int.from_bytes(image[at + 7 : at + 9], "big")
            return (width, height) if width and height else None
        else:
            at += 2 + max(2, int.from_bytes(image[at + 2 : at + 4], "big"))
    return None


def _webp_size(image: bytes) -> tuple[int, int] | None:
    match image[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(image[24:27], "little"), 1 + int.from_bytes(image[27:30], "little")
        case b"VP8L" if image[20] == 0x2F:
            bits = int.from_bytes(image[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 " if image[23:26] == b"\x9d\x01\x2a":
            width, height = int.from_bytes(image[26:28], "little"), int.from_bytes(image[28:30], "little")
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None
