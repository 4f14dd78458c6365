"""Whether an answer really streamed: pure, from when its pieces arrived and what its head said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Delivery = Literal["streamed", "buffered", "at once"]

# Pieces of an answer that was held back arrive within the time of a few packets, whatever it took to make them.
_APART_SECONDS = 0.05
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Seconds from the request to each piece of text, in their order, and to the end.

    ``length_told`` is whether the head had a ``content-length``: whoever knows it had the whole answer first.
    """

    pieces: Sequence[float]
    end: float
    length_told: bool

    @property
    def first(self) -> float:
        """Until the first token, or to the end where there was none."""
        return self.pieces[0] if self.pieces else self.end

    @property
    def span(self) -> float:
        """From the first piece to the last."""
        return self.pieces[-1] - self.pieces[0] if self.pieces else 0.0

    @property
    def delivery(self) -> Delivery:
        """``at once`` where nothing tells whether the gateway held it back or the model made it so."""
        if self.length_told:
            return "buffered"
        moments = len(set(self.pieces))
        return "streamed" if moments >= _FEWEST and self.span >= _APART_SECONDS else "at once"


def verdict(arrivals: Arrivals, setting: str | None) -> tuple[bool, str]:
    """Whether it is as it should be, and a sentence about it. *setting* is the stack's ``streaming``, where known."""
    said = "" if setting is None else f", as streaming={setting} says"
    match arrivals.delivery:
        case "streamed":
            count, span = len(arrivals.pieces), arrivals.span
            told = f"It streams: {count} pieces over {span:.2f} s"
            return True, f"{told}, although the stack says streaming=off." if setting == "off" else f"{told}{said}."
        case "buffered" if setting == "off":
            return True, f"It does not stream: the answer came in one piece{said}."
        case "buffered":
            where = "the gateway, or something before it," if setting is None else f"although streaming={setting}, it"
            return False, f"It does not stream: {where} sent the answer in one piece."
        case "at once":
            return True, "The answer came all at once: the model may have been that quick; --model asks another."
