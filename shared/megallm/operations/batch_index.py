"""Cuts a batch's input into parts and sends them to work. Begun again, it does the same once more, or what is left.

The order of the effects: the lines, where they must be written; the parts, a hundred at a time; the start; the
messages, and when they were sent. Whoever dies before the start leaves a batch that is ``indexing``: its message, or
the schedule, has it indexed anew, which gives the same parts. After the start, what was not noted as sent is sent by
the same two.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from megallm.batches.conversion import lines_of
from megallm.batches.formats import HEAD_BYTES
from megallm.batches.indexing import LineIndexer
from megallm.batches.items import text_fields
from megallm.batches.model import ITEMS_A_PART, Batch, Part, lines_key
from megallm.batches.templates import model_of
from megallm.catalog.models import Catalog
from megallm.errors import InvalidRequest, NotFound
from megallm.operations.batch_allowance import TokensAMinute
from megallm.operations.batch_cost import unpriced
from megallm.operations.batch_dry_run import DryRun
from megallm.operations.batch_ending import end_counted, refuse_batch
from megallm.operations.batch_ports import BatchPorts, ObjectChanged
from megallm.operations.batch_schedule import expected_end
from megallm.operations.send_parts import send_unsent


def no_allowance(owner: str) -> None:
    """Nobody has a limit."""


@dataclass(frozen=True, slots=True)
class IndexRules:
    """``catalog`` has the prices of dry runs; ``tokens_a_minute`` tells an owner's allowance."""

    catalog: Catalog | None = None
    tokens_a_minute: TokensAMinute = no_allowance
    items_a_part: int = ITEMS_A_PART


USUAL = IndexRules()


def index_batch(ports: BatchPorts, batch: Batch, now: float, rules: IndexRules) -> Batch:
    """From ``indexing`` to work in the queue; of a batch that is past that, sends the parts that were never sent.

    A batch whose input cannot be worked on is refused. Raises InternalError where AWS fails.
    """
    if batch.state == "indexing" and batch.problem is None:
        try:
            batch = _index(ports, batch, rules, now)
        except InvalidRequest as error:
            return refuse_batch(ports, batch, error.message, now)
        except ObjectChanged:
            return refuse_batch(ports, batch, "The object was deleted or replaced while it was read", now)
    if batch.problem is not None:
        return refuse_batch(ports, batch, batch.problem, now)
    if is_dry_run(batch):
        return _count(ports, batch, now, rules.catalog)
    if batch.state != "ended":
        send_unsent(ports, batch, now)
    return batch


def is_dry_run(batch: Batch) -> bool:
    """Whether its items are only counted."""
    return batch.job.options.get("dry_run") is True


def _index(ports: BatchPorts, batch: Batch, rules: IndexRules, now: float) -> Batch:
    _check_prices(batch, rules.catalog)
    source = batch.source
    indexer = LineIndexer(batch.id, batch.job, items_a_part=rules.items_a_part)
    head = ports.objects.read(source.key, 0, HEAD_BYTES, source.version)
    field = text_fields(batch.job)[0]
    pieces = lines_of(source.name, head, _stream(ports, batch), text_field=field)
    if pieces is None:
        key, version = source.key, source.version
        parts = list(_parts(indexer, _stream(ports, batch)))
    else:
        key = lines_key(batch.id)
        version, parts = _converted(ports, key, indexer, pieces)
    tokens = indexer.estimated_tokens
    expected = None
    if not is_dry_run(batch):
        expected = expected_end(ports.store, batch, tokens, rules.tokens_a_minute(batch.owner), now)
    ports.store.add_parts(parts)
    return ports.store.start(
        batch.id,
        total=indexer.total,
        parts=len(parts),
        lines=key,
        lines_version=version,
        estimated_tokens=tokens,
        expected_end_at=expected,
    )


def _check_prices(batch: Batch, catalog: Catalog | None) -> None:
    """Raises InvalidRequest for texts that may cost only so much, where nobody knows what their one model costs.

    Messages each name their own: those without prices become errors. So do all where the catalogue has no such model.
    """
    if catalog is None or batch.max_microdollars is None or batch.job.task == "messages":
        return
    try:
        model = catalog.find(model_of(batch.job))
    except NotFound:
        return
    if model.prices is None:
        raise unpriced(model)


def _stream(ports: BatchPorts, batch: Batch) -> Iterator[bytes]:
    yield from ports.objects.stream(batch.source.key, batch.source.version)


def _parts(indexer: LineIndexer, pieces: Iterator[bytes]) -> Iterator[Part]:
    for piece in pieces:
        yield from indexer.feed(piece)
    yield from indexer.finish()


def _converted(ports: BatchPorts, key: str, indexer: LineIndexer, pieces: Iterator[bytes]) -> tuple[str, list[Part]]:
    """Writes the lines and indexes them on the way: their version, and the parts."""
    writer = ports.objects.writer(key)

    def written() -> Iterator[bytes]:
        for piece in pieces:
            writer.write(piece)
            yield piece

    try:
        parts = list(_parts(indexer, written()))
    except BaseException:
        writer.abort()
        raise
    return writer.commit(), parts


def _count(ports: BatchPorts, batch: Batch, now: float, catalog: Catalog | None) -> Batch:
    run = DryRun(catalog)
    if batch.state != "ended":
        for part in ports.store.parts(batch.id):
            run.add(ports.objects, batch, part)
    return end_counted(ports, batch, run.estimate(), run.reasons, now)
