"""Stop sequences are found wherever the text is cut."""

from hypothesis import given
from hypothesis import strategies as st

from megallm.messages.stop_sequences import StopMatcher

WORDS = st.text(alphabet="ab", min_size=1, max_size=4)


def run(sequences: list[str], pieces: list[str]) -> tuple[str, str | None]:
    matcher = StopMatcher(sequences)
    shown = "".join(matcher.feed(piece) for piece in pieces) + matcher.flush()
    return shown, matcher.matched


def expected(sequences: list[str], text: str) -> tuple[str, str | None]:
    """What reading the text character by character says: the first to be complete, of those the longest."""
    for end in range(len(text) + 1):
        complete = [sequence for sequence in sequences if text[:end].endswith(sequence)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(st.text(alphabet="abc", max_size=5), max_size=8))
def test_the_cuts_between_pieces_do_not_matter(sequences: list[str], pieces: list[str]) -> None:
    """Text in pieces gives what the whole text gives (C12)."""
    assert run(sequences, pieces) == expected(sequences, "".join(pieces))


@given(st.lists(WORDS, min_size=1, max_size=3), st.lists(st.text(alphabet="abc", max_size=5), max_size=8))
def test_no_piece_of_a_stop_sequence_is_shown_early(sequences: list[str], pieces: list[str]) -> None:
    """What has been shown is at every moment a beginning of the final text."""
    final, _ = expected(sequences, "".join(pieces))
    matcher = StopMatcher(sequences)

    shown = ""
    for piece in pieces:
        shown += matcher.feed(piece)

        assert final.startswith(shown)


def test_text_passes_at_once_without_sequences() -> None:
    """Nothing is held back where nothing can match."""
    matcher = StopMatcher([])

    assert matcher.feed("anything") == "anything"


def test_nothing_is_shown_after_a_match() -> None:
    """What an upstream still sends after the sequence is dropped."""
    matcher = StopMatcher(["END"])

    shown = [matcher.feed(piece) for piece in ("one EN", "D two", "three")]

    assert (shown, matcher.flush(), matcher.matched) == (["one ", "", ""], "", "END")
