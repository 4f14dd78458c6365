"""Dataclasses of which every request makes many: frozen for the type checker, which costs nothing at run time.

A ``dataclass(frozen=True)`` takes three to five times as long to make, which came to a twentieth of a batch item's CPU.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

ClassT = TypeVar("ClassT")


@dataclass_transform(frozen_default=True)
def frozen(cls: type[ClassT]) -> type[ClassT]:
    """A slotted dataclass, compared and hashed by its fields, that mypy lets nobody assign to."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
