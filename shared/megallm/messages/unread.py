"""The members of a conversation that a translation has not read: what is in them must not vanish in silence (C04)."""

from collections.abc import Iterator, Sequence

from megallm.messages.blocks import OpaqueBlock, Shape
from megallm.messages.calls import Adaptation
from megallm.messages.requests import Message, TokenCountRequest

# Changes no answer, but what it costs: told once for the whole request, since it may stand in a hundred blocks.
CACHING = "cache_control"
_HOLDING = ("source", "content")
NOT_CACHED = Adaptation(CACHING, "dropped")


def unread_members(messages: Sequence[Message], told: Sequence[Adaptation]) -> list[Adaptation]:
    """All members that the schemas do not name, as dropped; without those of *told* and those that ask for nothing.

    For translations that read none of them. Opaque blocks are a translation's own to refuse.
    """
    known = {adaptation.field for adaptation in told}
    return [
        Adaptation(path, "dropped")
        for index, message in enumerate(messages)
        for path in _extras(message, f"messages.{index}")
        if path not in known
    ]


def unread_settings(request: TokenCountRequest) -> list[Adaptation]:
    """The same for the system prompt and the choice of tools."""
    parts: list[tuple[str, Shape | None]] = [("tool_choice", request.tool_choice)]
    if isinstance(request.system, list):
        parts += [(f"system.{at}", block) for at, block in enumerate(request.system)]
    return [Adaptation(path, "dropped") for name, part in parts if part is not None for path in _extras(part, name)]


def unread_options(request: TokenCountRequest) -> list[Adaptation]:
    """The same for thinking and the format of the output."""
    config = request.output_config
    parts: list[tuple[str, Shape | None]] = [
        ("thinking", request.thinking),
        ("output_config.format", None if config is None else config.format),
    ]
    return [Adaptation(path, "dropped") for name, part in parts if part is not None for path in _extras(part, name)]


def lost_caching(request: TokenCountRequest) -> tuple[Adaptation, ...]:
    """That nothing is cached as the request asks, wherever it does so; nothing, where it does not (C21)."""
    parts: list[Shape] = [request, *request.messages, *(request.tools or ())]
    if isinstance(request.system, list):
        parts += request.system
    return (NOT_CACHED,) if any(map(_asks_for_caching, parts)) else ()


def _asks_for_caching(shape: Shape) -> bool:
    return (shape.model_extra or {}).get(CACHING) is not None or any(
        _asks_for_caching(part) for _, part in _parts(shape)
    )


def asks_for_nothing(value: object) -> bool:
    """Whether nothing is lost with this value of an extra field. 0 is a value like any other."""
    match value:
        case None | False:
            return True
        case list():
            return not value
        case {"enabled": False, **others} | {"type": "direct", **others}:  # citations; who calls a tool
            return not others
        case dict():
            return not value
        case _:
            return False


def _extras(shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, OpaqueBlock):
        return
    for name, value in (shape.model_extra or {}).items():
        if name != CACHING and not asks_for_nothing(value):
            yield f"{path}.{name}"
    for name, part in _parts(shape):
        yield from _extras(part, f"{path}.{name}")


def _parts(shape: Shape) -> Iterator[tuple[str, Shape]]:
    """What stands in it of the conversation's blocks and their sources, with the way there.

    A member of such a name that its schema does not have is no part, but an extra.
    """
    for name in _HOLDING:
        part = getattr(shape, name, None)
        if isinstance(part, Shape):
            yield name, part
        elif isinstance(part, list):
            yield from ((f"{name}.{at}", item) for at, item in enumerate(part) if isinstance(item, Shape))
