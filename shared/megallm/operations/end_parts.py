"""Ends the parts of a stopped batch that no worker has, without calls.

So it does not take until their messages are delivered, which may wait for an upstream or for an allowance, or stand
behind the messages of other batches. Parts that a worker has are ended by it, within seconds.

The order of the effects: the claim, a segment, the part's files, the part done and counted. Whoever dies in between
leaves a part whose lease runs out; the schedule calls a finisher again, who finds what is there and ends the rest.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from megallm.batches.items import BadItem, read_item
from megallm.batches.lines import Record
from megallm.batches.model import Batch, Part, Spent, segment_key
from megallm.batches.results import Canceled, Errored, Expired, error_line, result_line, segment_line
from megallm.errors import InternalError
from megallm.operations.batch_index import is_dry_run
from megallm.operations.batch_ports import BatchPorts, ObjectChanged, PartChanged
from megallm.operations.part_halt import outcome_of
from megallm.operations.part_input import read_records
from megallm.operations.part_lease import LEASE_SECONDS
from megallm.operations.part_segments import Closed, close_part, earlier_attempts, to_bytes

# Few, so that one message is done long before the leases end; it sends another one for the rest.
_PARTS_A_MESSAGE = 40
_AT_ONCE = 4
_TRIES = 5


def end_waiting_parts(ports: BatchPorts, batch: Batch, now: float) -> Batch | None:
    """The batch as it is then; None where it is gone. Raises InternalError."""
    if batch.stop is None or is_dry_run(batch) or batch.parts_done == batch.parts:
        return batch
    outcome = outcome_of(batch.stop)
    waiting = (part for part in ports.store.parts(batch.id) if not part.done and part.leased_until <= now)
    some = list(islice(waiting, _PARTS_A_MESSAGE + 1))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(lambda part: _end(ports, batch, part.number, outcome, now), some[:_PARTS_A_MESSAGE]):
            pass
    if len(some) > _PARTS_A_MESSAGE:
        ports.queues.send_finish(batch.id)
    return ports.store.get(batch.id)


def _end(ports: BatchPorts, batch: Batch, number: int, outcome: Canceled | Expired, now: float) -> None:
    part = ports.store.claim(batch.id, number, now=now, lease_seconds=LEASE_SECONDS)
    if part is None:  # somebody was faster
        return
    try:
        earlier = earlier_attempts(ports.objects, part)
        if earlier is not None:
            records = read_records(ports.objects, batch, part, earlier.records)
            lines = [_line(batch, record, outcome) for record in records]
            ports.objects.put_new(segment_key(part, part.segments), to_bytes(lines, Spent(), {}))
        _complete(ports, part, close_part(ports.objects, part))
    except ObjectChanged:
        return  # the batch has ended meanwhile, and its pieces are gone


def _line(batch: Batch, record: Record | BadItem, outcome: Canceled | Expired) -> bytes:
    item = (
        record
        if isinstance(record, BadItem)
        else read_item(record.line, record.number, batch.job, duplicate=record.duplicate)
    )
    if isinstance(item, BadItem):
        told = result_line(batch, item, Errored(item.error, 0))
        return segment_line(item.record, told, error_line(batch, item, item.error, 0))
    return segment_line(item.record, result_line(batch, item, outcome), None)


def _complete(ports: BatchPorts, part: Part, closed: Closed) -> None:
    """Counts the part, and what earlier attempts spent and could not count; nothing where another one did."""
    for _ in range(_TRIES):
        late = {name: spent for name, spent in closed.uncounted.items() if name not in part.late}
        spent = Spent()
        for each in late.values():
            spent = spent.plus(each)
        try:
            ports.store.complete(part, closed.counts, spent, late=late.keys())
        except PartChanged as changed:
            part = changed.part
        else:
            return
    raise InternalError("The gateway could not record a batch's progress: it changes all the time")
