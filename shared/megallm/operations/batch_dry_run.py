"""What a batch would cost, by the catalogue's prices and a cheap guess at its tokens; nothing is called."""

from dataclasses import dataclass, field

from megallm.batches.items import BadItem, Item, read_item
from megallm.batches.model import Batch, Part, Spent
from megallm.catalog.models import Catalog
from megallm.errors import GatewayError, NotFound
from megallm.messages.events import Usage
from megallm.operations.batch_cost import Purse, unpriced
from megallm.operations.batch_ports import ObjectStore
from megallm.operations.part_input import read_records
from megallm.operations.reserve_tokens import reserved_tokens


@dataclass(slots=True)
class DryRun:
    """Adds parts up. ``reasons`` are the items that could not be sent, by what is wrong with them.

    The input is taken to be a quarter of its bytes, images apart, and every reply as long as it may be. Without a
    catalogue there are no prices.
    """

    catalog: Catalog | None
    reasons: dict[str, int] = field(default_factory=dict)
    _purse: Purse = field(default_factory=Purse)

    def add(self, objects: ObjectStore, batch: Batch, part: Part) -> None:
        """One part; *batch* knows its lines."""
        for record in read_records(objects, batch, part, ()):
            if isinstance(record, BadItem):
                self._refuse(record.error)
                continue
            item = read_item(record.line, record.number, batch.job, duplicate=record.duplicate)
            if isinstance(item, BadItem):
                self._refuse(item.error)
            else:
                self._count(item, is_limited=batch.max_microdollars is not None)

    def estimate(self) -> Spent:
        """What it would spend at most; asked once."""
        return self._purse.take()

    def _count(self, item: Item, *, is_limited: bool) -> None:
        prices = None
        if self.catalog is not None:
            try:
                model = self.catalog.find(item.request.model)
            except NotFound as error:
                self._refuse(error)
                return
            prices = model.prices
            if prices is None and is_limited:
                self._refuse(unpriced(model))
                return
        tokens = reserved_tokens(item.request, item.body)
        self._purse.add_call(Usage(input_tokens=tokens, output_tokens=item.request.max_tokens), prices)

    def _refuse(self, error: GatewayError) -> None:
        count_reason(self.reasons, error.type, error.message)


MOST_REASONS = 100


def count_reason(reasons: dict[str, int], code: str, message: str) -> None:
    """One more of these failures. Only so many texts are told apart: they may quote what stands in the items."""
    reason = f"{code}: {message}"
    if reason not in reasons and len(reasons) >= MOST_REASONS:
        reason = f"{code}: others"
    reasons[reason] = reasons.get(reason, 0) + 1
