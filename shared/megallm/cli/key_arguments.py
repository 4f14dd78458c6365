"""What a user may write for a key's name and for its id; refused with a usage error before AWS is asked."""

import re
import unicodedata

import typer

NAME_LETTERS = 256

_ID = re.compile(r"[A-Za-z0-9]{8}", re.ASCII)
# Control characters, what is no UTF-8, and the separators that end a line: a name is one line of a table.
_NOT_IN_NAMES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def checked_name(name: str) -> str:
    """The name as it stands. Raises typer.BadParameter."""
    if len(name) > NAME_LETTERS:
        raise typer.BadParameter(f"a name has at most {NAME_LETTERS} characters, and this one {len(name)}")
    if any(unicodedata.category(letter) in _NOT_IN_NAMES for letter in name):
        raise typer.BadParameter("a name has no control characters or line breaks")
    return name


def checked_id(key_id: str) -> str:
    """The id as it stands. Raises typer.BadParameter, which does not repeat it: it may be a whole key."""
    if _ID.fullmatch(key_id) is None:
        raise typer.BadParameter("an ID is the 8 letters and digits after mega_, not the whole key and not its name")
    return key_id
