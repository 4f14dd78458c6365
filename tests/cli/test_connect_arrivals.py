"""Whether an answer streamed, told from when its pieces came."""

import pytest

from megallm.cli.connect_arrivals import Arrivals, Delivery, verdict


@pytest.mark.parametrize(
    ("arrivals", "delivery"),
    [
        (Arrivals((0.5, 0.6, 0.7), 0.8, length_told=False), "streamed"),
        (Arrivals((0.5, 0.6, 0.7), 0.8, length_told=True), "buffered"),
        (Arrivals((0.8, 0.8, 0.8, 0.8), 0.8, length_told=False), "at once"),
        # Some packets of an answer that was held back, a few milliseconds apart.
        (Arrivals((0.8, 0.802, 0.804, 0.806), 0.806, length_told=False), "at once"),
        (Arrivals((0.5, 0.7), 0.8, length_told=False), "at once"),
        (Arrivals((), 0.8, length_told=False), "at once"),
    ],
)
def test_pieces_that_come_apart_are_a_stream(arrivals: Arrivals, delivery: Delivery) -> None:
    """A told length proves the contrary, a handful of packets nothing."""
    assert arrivals.delivery == delivery


def test_the_first_token_of_an_answer_without_any_is_its_end() -> None:
    """The model may have said nothing."""
    assert (Arrivals((), 0.8, length_told=False).first, Arrivals((0.5, 0.6), 0.8, length_told=False).first) == (
        0.8,
        0.5,
    )


STREAMED = Arrivals((0.5, 0.6, 0.7), 0.8, length_told=False)
BUFFERED = Arrivals((0.8, 0.8), 0.8, length_told=True)
AT_ONCE = Arrivals((0.8, 0.8), 0.8, length_told=False)
QUICK = "The answer came all at once: the model may have been that quick; --model asks another."


@pytest.mark.parametrize(
    ("arrivals", "setting", "right", "told"),
    [
        (STREAMED, None, True, "It streams: 3 pieces over 0.20 s."),
        (STREAMED, "runtime", True, "It streams: 3 pieces over 0.20 s, as streaming=runtime says."),
        (STREAMED, "adapter", True, "It streams: 3 pieces over 0.20 s, as streaming=adapter says."),
        (STREAMED, "off", True, "It streams: 3 pieces over 0.20 s, although the stack says streaming=off."),
        (BUFFERED, "off", True, "It does not stream: the answer came in one piece, as streaming=off says."),
        (
            BUFFERED,
            "runtime",
            False,
            "It does not stream: although streaming=runtime, it sent the answer in one piece.",
        ),
        (
            BUFFERED,
            None,
            False,
            "It does not stream: the gateway, or something before it, sent the answer in one piece.",
        ),
        (AT_ONCE, "runtime", True, QUICK),
        (AT_ONCE, None, True, QUICK),
    ],
)
def test_what_is_seen_is_held_against_what_the_stack_says(
    arrivals: Arrivals, setting: str | None, right: bool, told: str
) -> None:
    """Only an answer that was certainly held back, where it should not be, is a fault."""
    assert verdict(arrivals, setting) == (right, told)
