"""What came to nothing in a batch becomes a batch of its own: items that failed, and those that were never done.

errors.jsonl has the first, fit to be submitted again. The others are only in the input, which is read once more for
them; they get lines like those.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count

from megallm.batches.items import BadItem, read_item
from megallm.batches.job_message import is_key_id
from megallm.batches.lines import Record
from megallm.batches.model import OPERATOR, Batch, Job, Part, batch_id_of, result_key
from megallm.batches.results import end_of_line, left_out_line
from megallm.errors import InvalidRequest, NotFound
from megallm.operations.batch_ending import ERRORS, RESULTS
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.part_input import read_records
from megallm.operations.upload_batch import Submitted, upload_batch

# What a batch that is begun again leaves to the user.
_NOT_AGAIN = frozenset({"client_token", "dry_run"})
_NAME = "errors.jsonl"


def retry_failed(ports: BatchPorts, batch_id: str) -> Submitted:
    """A new batch of the items without success of one that has ended, with the same options; again, the same batch.

    Where that one was refused, again is a new one: what was in its way may be gone.

    It is the same owner's; the operator's, where that one has no key. Raises NotFound, or InvalidRequest where the
    batch has not ended, was refused, nothing in it is without success, or its input is needed and gone.
    """
    batch = ports.store.get(batch_id)
    if batch is None:
        raise NotFound(f"There is no batch with the id {batch_id}")
    if batch.state != "ended":
        raise InvalidRequest(f"The batch {batch_id} has not ended: what fails in it is known once it has")
    if batch.problem is not None:
        raise InvalidRequest(
            f"The batch {batch_id} was refused as a whole, so none of its items can be tried again: submit its input"
            f" anew. It was refused because: {batch.problem}"
        )
    owner = batch.owner if is_key_id(batch.owner) else OPERATOR
    for nth in count(1):
        token = f"retry-{batch_id}" if nth == 1 else f"retry-{batch_id}-{nth}"
        known = ports.store.get(batch_id_of("token", owner, token))
        if known is None:
            break
        if known.problem is None:
            return Submitted(known.id, is_new=False)
    options = {name: value for name, value in batch.job.options.items() if name not in _NOT_AGAIN}
    return upload_batch(
        ports,
        name=_NAME,
        pieces=_pieces(ports, batch),
        job=Job(batch.job.task, options),
        token=token,
        owner=owner,
    )


def _pieces(ports: BatchPorts, batch: Batch) -> Iterable[bytes]:
    objects, key = ports.objects, result_key(batch.id, ERRORS)
    head = objects.head(key)
    left_out = batch.counts.canceled + batch.counts.expired
    if head is None or (head.size == 0 and not left_out):
        raise InvalidRequest(f"Nothing of the batch {batch.id} is there to be tried again: no item of it failed")
    if not left_out:
        return objects.stream(key, head.version)
    if objects.head(result_key(batch.id, RESULTS)) is None:
        raise InvalidRequest(f"The results of the batch {batch.id} are no longer there")
    if objects.head(batch.lines, batch.lines_version) is None:
        raise InvalidRequest(
            f"The input of the batch {batch.id} was replaced or deleted, and {left_out:,} of its items were never done:"
            " they can only be submitted from their source"
        )
    return _both(ports, batch)


def _both(ports: BatchPorts, batch: Batch) -> Iterator[bytes]:
    """In the order of the input."""
    objects = ports.objects
    results = _lines(objects.stream(result_key(batch.id, RESULTS)))
    errors = _lines(objects.stream(result_key(batch.id, ERRORS)))
    for part in ports.store.parts(batch.id):
        ends = {number: end_of_line(next(results)) for number in range(part.first, part.first + part.items)}
        records = _left_out(ports, batch, part, ends)
        for number, end in ends.items():
            if end == "errored":
                yield next(errors) + b"\n"
            elif end != "succeeded":
                item = read_item(records[number].line, number, batch.job)
                if not isinstance(item, BadItem):  # bad ones are never left out: they are errors without a call
                    yield left_out_line(item, end)


def _left_out(ports: BatchPorts, batch: Batch, part: Part, ends: Mapping[int, str]) -> Mapping[int, Record]:
    """The records of a part that were never done."""
    done = {number for number, end in ends.items() if end in ("succeeded", "errored")}
    if len(done) == part.items:
        return {}
    records = read_records(ports.objects, batch, part, done)
    return {record.number: record for record in records if isinstance(record, Record)}


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Without their ends."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
