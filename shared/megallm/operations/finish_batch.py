"""Puts the results of a batch together once all of its parts are done. Idempotent, and by several at once."""

from collections.abc import Iterable, Iterator
from itertools import chain

from pydantic_core import from_json

from megallm.batches.model import Batch, lines_key, part_errors_key, part_key, result_key
from megallm.batches.results import manifest
from megallm.operations.batch_dry_run import count_reason
from megallm.operations.batch_ending import ERRORS, MANIFEST, RESULTS
from megallm.operations.batch_ports import BatchPorts, ObjectChanged
from megallm.operations.end_parts import end_waiting_parts
from megallm.operations.part_segments import routes_of
from megallm.operations.written import write_pieces

_PARTS = "parts/"


def finish_batch(ports: BatchPorts, batch_id: str, now: float) -> Batch | None:
    """The batch, ended if all of its parts are done; None where there is none. Raises InternalError where AWS fails.

    Of a batch that was stopped, the parts that no worker has are ended first. The manifest is the last file; then the
    record, then those who listen, then the pieces go, and at the very end the batch is no longer open: whoever dies in
    between, the schedule calls a finisher again.
    """
    batch = ports.store.get(batch_id)
    if batch is not None and batch.state == "canceling":
        batch = end_waiting_parts(ports, batch, now)
    if batch is None or not (batch.state == "ended" or _is_done(batch)):
        return batch
    if batch.state != "ended":
        try:
            _write_files(ports, batch, now)
        except ObjectChanged:
            # Another finisher was faster: the pieces go when everything is written.
            batch = ports.store.get(batch_id)
            if batch is None or batch.state == "ended":
                return batch
            raise
        batch = ports.store.end(batch_id, now)
    if ports.store.untold(batch_id):
        ports.events.ended(batch)
        _delete_pieces(ports, batch)
        ports.store.told(batch_id)
    return batch


def _is_done(batch: Batch) -> bool:
    return batch.state != "indexing" and batch.parts_done == batch.parts


def _write_files(ports: BatchPorts, batch: Batch, now: float) -> None:
    objects, parts = ports.objects, list(ports.store.parts(batch.id))
    with_errors = set(objects.list(result_key(batch.id, _PARTS)))
    reasons: dict[str, int] = {}
    routes: dict[str, int] = {}
    for part in parts:
        for route, calls in routes_of(objects, part).items():
            routes[route] = routes.get(route, 0) + calls
    results = _pieces(ports, [part_key(batch.id, part.number) for part in parts])
    write_pieces(objects, result_key(batch.id, RESULTS), results)
    keys = [part_errors_key(batch.id, part.number) for part in parts]
    errors = _pieces(ports, [key for key in keys if key in with_errors])
    write_pieces(objects, result_key(batch.id, ERRORS), _counting(errors, reasons))
    objects.put(result_key(batch.id, MANIFEST), manifest(batch, routes=routes, reasons=reasons, ended_at=now))


def _pieces(ports: BatchPorts, keys: Iterable[str]) -> Iterator[bytes]:
    return chain.from_iterable(ports.objects.stream(key) for key in keys)


def _counting(pieces: Iterable[bytes], reasons: dict[str, int]) -> Iterator[bytes]:
    """The same pieces; on the way the errors in their lines are counted."""
    open_line = b""
    for piece in pieces:
        *lines, open_line = (open_line + piece).split(b"\n")
        for line in lines:
            error = from_json(line)["error"]
            count_reason(reasons, error["code"], error["message"])
        yield piece


def _delete_pieces(ports: BatchPorts, batch: Batch) -> None:
    # Items that were never done can be submitted again: the lines that were written of the input may be all there is of
    # them. The bucket's lifecycle removes those.
    kept = lines_key(batch.id) if batch.counts.canceled or batch.counts.expired else None
    ports.objects.delete(key for key in ports.objects.list(f"work/{batch.id}/") if key != kept)
    ports.objects.delete(ports.objects.list(result_key(batch.id, _PARTS)))
