"""Finds stop sequences in streamed text, across the borders of its pieces (contract C12).

Upstreams tell that they stopped, seldom at which sequence, and take fewer of them than clients
send; so the gateway looks itself.
"""

from collections.abc import Sequence


class StopMatcher:
    """Lets text through up to the first stop sequence to be complete.

    What could be the beginning of a sequence is held back until the next piece tells; ``flush`` gives it up when
    no more comes. Where several are complete at the same character, the longest is the one that matched.
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
        ends = [(text.find(sequence) + len(sequence), sequence) for sequence in self._sequences if sequence in text]
        if ends:
            end, self.matched = min(ends, key=lambda found: (found[0], -len(found[1])))
            self._held = ""
            return text[: end - len(self.matched)]
        keep = self._begins_at(text)
        self._held = text[keep:]
        return text[:keep]

    def flush(self) -> str:
        """What was held back, once the upstream has ended."""
        held, self._held = self._held, ""
        return held

    def _begins_at(self, text: str) -> int:
        """The first position from which the rest of *text* is the beginning of a sequence."""
        for position in range(max(0, len(text) - self._longest + 1), len(text)):
            if any(sequence.startswith(text[position:]) for sequence in self._sequences):
                return position
        return len(text)
