"""What the calls of a batch cost, by the catalogue's prices. Pure."""

from dataclasses import dataclass

from megallm.batches.items import Item
from megallm.batches.model import Spent
from megallm.catalog.models import Model, Prices
from megallm.errors import InvalidRequest
from megallm.messages.events import Usage


def microdollars_of(usage: Usage, prices: Prices | None) -> float:
    """The price in millionths of a US dollar: dollars per million tokens are that per token. 0 without prices.

    Cached tokens cost what input costs where the catalogue has no price of their own for them.
    """
    if prices is None:
        return 0.0
    read = prices.input if prices.cache_read is None else prices.cache_read
    write = prices.input if prices.cache_write is None else prices.cache_write
    return (
        usage.input_tokens * prices.input
        + usage.cache_read_input_tokens * read
        + usage.cache_creation_input_tokens * write
        + usage.output_tokens * prices.output
    )


def unpriced(model: Model) -> InvalidRequest:
    """What is told where ``max_cost`` cannot be kept, since nobody knows what the model's calls cost."""
    return InvalidRequest(f"max_cost: the catalogue has no prices of {model.id}", param="max_cost")


@dataclass(slots=True)
class Purse:
    """What was spent and is in no record yet. Fractions of a millionth are carried on until they make a whole one."""

    input_tokens: int = 0
    output_tokens: int = 0
    microdollars: float = 0.0
    calls: int = 0
    unpriced: int = 0

    def add_call(self, usage: Usage | None, prices: Prices | None) -> None:
        """One call, answered or not; *usage* is None where nothing is known of it."""
        self.calls += 1
        if prices is None:
            self.unpriced += 1
        if usage is not None:
            self.input_tokens += usage.prompt_tokens
            self.output_tokens += usage.output_tokens
            self.microdollars += microdollars_of(usage, prices)

    def take(self) -> Spent:
        """What is to be recorded now; the rest of a fraction stays."""
        whole = round(self.microdollars)
        spent = Spent(self.input_tokens, self.output_tokens, whole, self.calls, self.unpriced)
        self.input_tokens = self.output_tokens = self.calls = self.unpriced = 0
        self.microdollars -= whole
        return spent


def most_of(item: Item, model: Model, tokens: int) -> float:
    """What a call could cost, in millionths: *tokens* in, and a reply as long as it may be. The model has prices."""
    prices = model.prices
    assert prices is not None
    out = item.request.max_tokens
    if model.max_output_tokens is not None:
        out = min(out, model.max_output_tokens)
    return tokens * _input_price(prices) + out * prices.output


def _input_price(prices: Prices) -> float:
    return max(prices.input, prices.cache_write or 0.0)


_KEPT = 0.99  # of the highest share, with each call that comes to less
_MARGIN = 1.02
_MARGIN_OF_FIRST_CALLS = 4  # beyond that, by the number of calls that are known


@dataclass(slots=True)
class Share:
    """How much of the most that a call could cost calls have come to. ``of`` is the share, the highest of late."""

    of: float = 1.0
    calls: int = 0

    def learn(self, most: float, cost: float) -> None:
        """A call that could have cost *most* did cost so much."""
        if most > 0:
            self.of = max(cost / most, self.of * _KEPT if self.calls else 0.0)
            self.calls += 1

    def careful(self) -> float:
        """With a margin, which is large as long as few calls are known."""
        if not self.calls:
            return 1.0
        return max(self.of, min(1.0, self.of * (_MARGIN + _MARGIN_OF_FIRST_CALLS / self.calls)))
