"""Finds the files in base64 that lie in JSON which nobody has read any further."""

from collections.abc import Iterator

_MOST_PARTS = 10_000  # that are looked at; what lies beyond counts as text


def base64_files(value: object) -> Iterator[tuple[str, str]]:
    """The media type, "" where there is none, and the letters of each file, at any depth, in no order."""
    parts = [value]
    for _ in range(_MOST_PARTS):
        if not parts:
            return
        match parts.pop():
            case {"type": "base64", "data": str(data), **others}:
                media_type = others.get("media_type")
                yield media_type if isinstance(media_type, str) else "", data
            case dict() as part:
                parts.extend(part.values())
            case list() as part:
                parts.extend(part)
            case _:
                pass
