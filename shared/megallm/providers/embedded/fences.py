"""Takes a JSON reply out of the code fence that small coding models put around it, whatever they are told.

Programs parse such a reply; a prompt that forbids the fence was tried and does not help (0 of 3).
"""

import re

from megallm.providers.embedded.call_parsing import Fragment, Text

_OPEN, _CLOSE = "```json", "\n```"
_JSON = re.compile(r"\bJSON\b")


def asks_for_json(system: str) -> bool:
    """Whether a system prompt speaks of JSON: then the reply is for a program."""
    return _JSON.search(system) is not None


class JsonFence:
    """Lets text through; of a reply that begins with a JSON fence only what stands in it.

    ``done`` once the fence is closed: what a model adds behind it would make the reply unreadable for its program.
    """

    def __init__(self) -> None:
        self._held = ""
        self._state = "undecided"  # then "open" or "plain"
        self._unwanted = ""  # what the next text to be shown begins with, and is not shown
        self.done = False

    def feed(self, text: str) -> list[Fragment]:
        """What is certain to be shown."""
        if self.done:
            return []
        self._held += text
        if self._state == "undecided":
            self._decide()
        if self._state == "undecided":
            return []
        if self._state == "plain":
            return self._show(len(self._held))
        end = self._held.find(_CLOSE)
        if end != -1:
            self.done = True
            return self._show(end)
        return self._show(len(self._held) - _overlap(self._held, _CLOSE))

    def flush(self) -> list[Fragment]:
        """The reply has ended, perhaps in the middle of a fence."""
        if self.done:
            return []
        return self._show(len(self._held))

    def _decide(self) -> None:
        begun = self._held.lstrip()
        if begun.startswith(_OPEN):
            line, found, rest = begun.partition("\n")
            if line.rstrip() != _OPEN:
                self._state = "plain"
            elif found:
                # The line break stays for now: in an empty fence it is also the one before the closing.
                self._held, self._state, self._unwanted = "\n" + rest, "open", "\n"
        elif not _OPEN.startswith(begun):
            self._state = "plain"

    def _show(self, end: int) -> list[Fragment]:
        text, self._held = self._held[:end], self._held[end:]
        if text:
            text, self._unwanted = text.removeprefix(self._unwanted), ""
        return [Text(text)] if text else []


def _overlap(text: str, marker: str) -> int:
    """How many letters at the end of *text* may be the beginning of *marker*."""
    return next((length for length in range(len(marker) - 1, 0, -1) if text.endswith(marker[:length])), 0)
