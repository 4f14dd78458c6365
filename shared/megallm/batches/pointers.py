"""The messages between the batch functions: pointers to a part that is to be worked on, and to a batch that is done."""

from dataclasses import dataclass

from pydantic_core import from_json, to_json

VERSION = 1


class UnreadablePointer(ValueError):
    """A message that none of our functions wrote."""


@dataclass(frozen=True, slots=True)
class PartPointer:
    """A part of a batch."""

    batch_id: str
    part: int


def part_to_wire(batch_id: str, part: int) -> str:
    """The message: ``{"version": 1, "batch_id": …, "part": …}``."""
    return to_json({"version": VERSION, "batch_id": batch_id, "part": part}).decode()


def part_from_wire(body: str) -> PartPointer:
    """Raises UnreadablePointer."""
    match _object(body):
        case {"version": 1, "batch_id": str(batch_id), "part": int(part)}:
            return PartPointer(batch_id, part)
        case _:
            raise UnreadablePointer("not a pointer to a part")


def finish_to_wire(batch_id: str) -> str:
    """The message: ``{"version": 1, "batch_id": …}``."""
    return to_json({"version": VERSION, "batch_id": batch_id}).decode()


def finish_from_wire(body: str) -> str:
    """The batch's id. Raises UnreadablePointer."""
    match _object(body):
        case {"version": 1, "batch_id": str(batch_id)}:
            return batch_id
        case _:
            raise UnreadablePointer("not a pointer to a batch")


def _object(body: str) -> object:
    try:
        return from_json(body)
    except ValueError as error:
        raise UnreadablePointer("not JSON") from error
