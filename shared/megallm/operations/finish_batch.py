"""Puts the results of a batch together once all of its parts are done. Idempotent, and by several at once."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from pydantic_core import from_json

from megallm.batches.model import Batch, part_errors_key, part_key, result_key
from megallm.batches.results import manifest
from megallm.operations.batch_dry_run import count_reason
from megallm.operations.batch_ending import ERRORS, MANIFEST, RESULTS
from megallm.operations.batch_ports import BatchPorts, ObjectChanged
from megallm.operations.part_segments import routes_of

_PARTS = "parts/"


def finish_batch(ports: BatchPorts, batch_id: str, now: float) -> Batch | None:
    """The batch, ended if all of its parts are done; None where there is none. Raises InternalError where AWS fails.

    The manifest is the last file; then the record, then those who listen, and at the very end the pieces go.
    """
    batch = ports.store.get(batch_id)
    if batch is None or batch.state == "indexing" or batch.parts_done < batch.parts:
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
    if _has_pieces(ports, batch):  # as long as there are some, nobody may have been told
        ports.events.ended(batch)
        _delete_pieces(ports, batch)
    return batch


def _write_files(ports: BatchPorts, batch: Batch, now: float) -> None:
    objects, parts = ports.objects, list(ports.store.parts(batch.id))
    with_errors = set(objects.list(result_key(batch.id, _PARTS)))
    reasons: dict[str, int] = {}
    routes: dict[str, int] = {}
    for part in parts:
        for route, calls in routes_of(objects, part).items():
            routes[route] = routes.get(route, 0) + calls
    _write(ports, result_key(batch.id, RESULTS), _pieces(ports, [part_key(batch.id, part.number) for part in parts]))
    keys = [part_errors_key(batch.id, part.number) for part in parts]
    errors = _pieces(ports, [key for key in keys if key in with_errors])
    _write(ports, result_key(batch.id, ERRORS), _counting(errors, reasons))
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


def _write(ports: BatchPorts, key: str, pieces: Iterable[bytes]) -> None:
    writer = ports.objects.writer(key)
    try:
        for piece in pieces:
            writer.write(piece)
    except BaseException:
        with suppress(Exception):
            writer.abort()
        raise
    writer.commit()


def _has_pieces(ports: BatchPorts, batch: Batch) -> bool:
    return next(iter(ports.objects.list(result_key(batch.id, _PARTS))), None) is not None


def _delete_pieces(ports: BatchPorts, batch: Batch) -> None:
    ports.objects.delete(ports.objects.list(f"work/{batch.id}/"))
    ports.objects.delete(ports.objects.list(result_key(batch.id, _PARTS)))
