"""On which line of a TOML text a value stands; tomllib does not tell."""

import tomllib
from collections.abc import Sequence

Path = Sequence[str | int]


def line_of(text: str, path: Path) -> int | None:
    """The line, counted from 1, on which the value at *path* is complete; its nearest parent's if it is not there.

    A beginning of the text in whole lines holds everything that is complete by then, so the first beginning to hold
    the value ends on its line.
    """
    lines = [f"{line}\n" for line in text.split("\n")]  # TOML's lines; splitlines() knows others besides
    whole = tomllib.loads(text)
    while path and not _holds(whole, path):
        path = path[:-1]
    if not path:
        return None
    for count in range(1, len(lines) + 1):
        try:
            beginning = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value of several lines
        if _holds(beginning, path):
            return count
    return None


def _holds(value: object, path: Path) -> bool:
    for step in path:
        match value, step:
            case dict(), str() if step in value:
                value = value[step]
            case list(), int() if step < len(value):
                value = value[step]
            case _:
                return False
    return True
