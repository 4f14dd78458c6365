"""Names and ids that a chat-completions server refuses, shortened so that they can be told back (contract C20)."""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256

_TAKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_LETTERS = 64
_HASH_LETTERS = 10


class ToolNames:
    """The names of one request's tools, as they are sent and as they come back.

    A name depends on nothing but itself, unless it collides with another of the same request.
    """

    def __init__(self, names: Iterable[str]) -> None:
        # Names that can stay do so, whatever the others become.
        wanted = list(dict.fromkeys(names))
        self._sent = {name: name for name in wanted if _TAKEN.fullmatch(name)}
        taken = set(self._sent)
        for name in wanted:
            if name not in self._sent:
                self._sent[name] = _shortened(name, taken)
                taken.add(self._sent[name])

    def sent(self, name: str) -> str:
        """The name that goes upstream. Raises KeyError for one that was not announced."""
        return self._sent[name]

    def known_as(self) -> Mapping[str, str]:
        """Names as they were sent to names as the client knows them, for those that differ."""
        return {sent: name for name, sent in self._sent.items() if sent != name}


def _shortened(name: str, taken: set[str]) -> str:
    begun = _OTHER.sub("_", name)[: _LETTERS - _HASH_LETTERS - 1]
    attempt = 0
    while True:
        short = f"{begun}_{_hash(name if attempt == 0 else f'{name}#{attempt}', _HASH_LETTERS)}"
        if short not in taken:
            return short
        attempt += 1


def short_id(text: str, letters: int) -> str:
    """An id as it is, or its hash where it has more than *letters* letters; 0 is no limit."""
    return _hash(text, letters) if letters and len(text) > letters else text


def _hash(text: str, letters: int) -> str:
    return sha256(text.encode()).hexdigest()[:letters]
