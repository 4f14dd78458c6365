"""The end of a batch: telling of it, and how those end that have no items to be worked on: refused, or only counted.

The order of the effects, and what becomes of a batch whose process dies between two of them:

    files   written again by whoever comes next, the manifest last
    record  ended; it stays among the open batches, so that the schedule looks at it each minute
    event   told again, which is why it may come twice
    told    no longer open: nothing is left to be done

So an end is told at least once, whoever dies when; but for a batch that is deleted before that minute is over.
"""

from collections.abc import Mapping
from dataclasses import replace

from megallm.batches.model import Batch, Spent, result_key
from megallm.batches.results import manifest
from megallm.operations.batch_ports import BatchPorts

RESULTS, ERRORS, MANIFEST = "results.jsonl", "errors.jsonl", "manifest.json"


def tell_end(ports: BatchPorts, batch: Batch) -> None:
    """Tells of the end of a batch that has ended, unless that is known to be told."""
    if ports.store.untold(batch.id):
        ports.events.ended(batch)
        ports.store.told(batch.id)


def refuse_batch(ports: BatchPorts, batch: Batch, problem: str, now: float) -> Batch:
    """Ends a batch that is indexing, with the reason why its input cannot be worked on; tells who listens.

    The files come first: a batch that has ended has them.
    """
    batch = ports.store.get(batch.id) or batch  # another intake may have been luckier meanwhile
    if batch.state == "indexing":
        problem = batch.problem or problem  # what was found first
        _write_empty(ports, replace(batch, problem=problem), {}, now)
        batch = ports.store.refuse(batch.id, problem, now)
    if batch.state == "ended":
        tell_end(ports, batch)
    return batch


def end_counted(ports: BatchPorts, batch: Batch, estimate: Spent, reasons: Mapping[str, int], now: float) -> Batch:
    """Ends a dry run: its manifest has what the batch would cost; its record, that this cost nothing."""
    if batch.state != "ended":
        _write_empty(ports, replace(batch, spent=estimate), reasons, now)
        batch = ports.store.end(batch.id, now)
    tell_end(ports, batch)
    return batch


def _write_empty(ports: BatchPorts, batch: Batch, reasons: Mapping[str, int], now: float) -> None:
    ports.objects.put(result_key(batch.id, RESULTS), b"")
    ports.objects.put(result_key(batch.id, ERRORS), b"")
    ports.objects.put(result_key(batch.id, MANIFEST), manifest(batch, routes={}, reasons=reasons, ended_at=now))
