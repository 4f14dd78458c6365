"""A process that dies at one of its effects on the world."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal


class Crash(BaseException):
    """The process died here; no code of its own can catch that."""


class Process:
    """Counts the effects of one process on the world, and dies at one of them: nothing that it does counts then."""

    def __init__(self, dies_at: int | None = None, when: Literal["before", "after"] = "before") -> None:
        self.dies_at = dies_at
        self.when = when
        self.effects: list[str] = []
        self.dead = False

    def check(self) -> None:
        """A dead process does nothing."""
        if self.dead:
            raise Crash

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        """One change of the world."""
        self.check()
        self.effects.append(name)
        mine = len(self.effects) == self.dies_at
        if mine and self.when == "before":
            self.dead = True
            raise Crash
        yield
        if mine:
            self.dead = True
            raise Crash
