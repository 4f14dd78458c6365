"""Finds stop sequences in streamed text, across the borders of its pieces (contract C12).

Upstreams tell that they stopped, seldom at which sequence, and take fewer of them than clients
send; so the gateway looks itself.
"""

from collections.abc import Sequence


class StopMatcher:
    """Lets text through up to the first stop sequence.

    What could be the beginning of a sequence is held back until the next piece tells; ``flush``
    gives it up when no more comes. Where several match, the one that begins first wins, and of those
    that begin together the one listed first.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = tuple(sequences)
        self._longest = max((len(sequence) for sequence in sequences), default=0)
        self._held = ""
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """The part of what was held and of *text* that may be shown now; nothing after a match."""
        if self.matched is not None:
            return ""
        if not self._sequences:
            return text
        text = self._held + text
        position, sequence = self._first(text)
        if sequence is not None and not self._an_earlier_one_may_come(text, position):
            self.matched, self._held = sequence, ""
            return text[:position]
        keep = self._held_from(text, position if sequence is not None else len(text))
        self._held = text[keep:]
        return text[:keep]

    def flush(self) -> str:
        """What was held back, once the upstream has ended; may complete a match that had waited."""
        held, self._held = self._held, ""
        position, sequence = self._first(held)
        if sequence is not None:
            self.matched = sequence
            return held[:position]
        return held

    def _first(self, text: str) -> tuple[int, str | None]:
        best, found = len(text), None
        for sequence in self._sequences:
            position = text.find(sequence)
            if position != -1 and position < best:
                best, found = position, sequence
        return best, found

    def _an_earlier_one_may_come(self, text: str, before: int) -> bool:
        return self._held_from(text, before) < before

    def _held_from(self, text: str, limit: int) -> int:
        """The first position below *limit* from which the rest of *text* is the beginning of a sequence."""
        for position in range(max(0, len(text) - self._longest + 1), limit):
            rest = text[position:]
            if any(len(rest) < len(sequence) and sequence.startswith(rest) for sequence in self._sequences):
                return position
        return limit
