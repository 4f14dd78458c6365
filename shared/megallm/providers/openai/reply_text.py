"""The text of a reply on its way to the client: without a repeated prefill, up to a stop sequence (C05, C12)."""

from collections.abc import Sequence

from megallm.messages.stop_sequences import StopMatcher


class ReplyText:
    """Pieces in, what may be shown of them out.

    What may still be the repetition of *prefill* or the beginning of a stop sequence is held back. White space is
    held back too where a block would begin with it: a block of nothing else would be refused by Anthropic's own API
    when the client sends it back, and servers send it before and between tool calls.
    """

    def __init__(self, prefill: str, stop_sequences: Sequence[str]) -> None:
        self._prefill = prefill  # what the reply may still repeat; empty once that is decided
        self._repeated = ""
        self._matcher = StopMatcher(stop_sequences)
        self._matches = bool(stop_sequences)
        self._space = ""
        self._begun = False
        self.passes = False

    @property
    def matched(self) -> str | None:
        """The stop sequence that hit; nothing is shown after it."""
        return self._matcher.matched

    def feed(self, text: str) -> str:
        """What may be shown now. While ``passes`` is true, that is the text itself."""
        shown = self._visible(self._matcher.feed(self._without_prefill(text)))
        self.passes = self._begun and not self._prefill and not self._matches
        return shown

    def end_block(self) -> str:
        """Something else follows: what was held back, without white space that would stand alone."""
        self.passes = False
        shown = self._visible(self._flush())
        self._space, self._begun = "", False
        return shown

    def end(self, *, alone: bool) -> str:
        """The reply is over: what was held back, the white space too where the reply is nothing else (*alone*)."""
        shown = self._visible(self._flush())
        return shown or (self._space if alone else "")

    def _flush(self) -> str:
        held, self._prefill, self._repeated = self._repeated, "", ""
        return self._matcher.feed(held) + self._matcher.flush()

    def _without_prefill(self, text: str) -> str:
        if not self._prefill:
            return text
        text = self._repeated + text
        if len(text) < len(self._prefill) and self._prefill.startswith(text):
            self._repeated = text
            return ""
        text = text.removeprefix(self._prefill)
        self._prefill = self._repeated = ""
        return text

    def _visible(self, text: str) -> str:
        if self._begun or not text:
            return text
        text = self._space + text
        if text.isspace():
            self._space = text
            return ""
        self._space, self._begun = "", True
        return text
