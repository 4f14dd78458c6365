"""A batch that comes over HTTPS: its requests go to the bucket as JSON lines while they arrive, and its parts to work.

The order of the effects: the lines, the record, the parts, the start, the queue. What breaks off before the record
leaves lines that nobody knows of and that the bucket's lifecycle removes; what breaks off after it leaves a batch that
is ``indexing``, whose lines can be indexed again.
"""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from megallm.batches.indexing import LineIndexer
from megallm.batches.model import LIFETIME_SECONDS, Batch, Job, Part, Source, batch_id_of, lines_key
from megallm.batches.submission import RequestSplitter
from megallm.errors import GatewayError
from megallm.keys import Caller
from megallm.limits.tiers import load
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.batch_schedule import expected_end
from megallm.operations.batch_sender import job_sent_by
from megallm.operations.blocking import in_thread
from megallm.operations.gateway import Gateway
from megallm.operations.route_call import Sender
from megallm.operations.send_parts import send_unsent
from megallm.operations.show_batches import batches_of
from megallm.telemetry import log

# What arrives is gathered up to this size, so that a thread is worth its while.
_PIECE_BYTES = 1024 * 1024
NAME = "requests.jsonl"


async def submit_batch(
    gateway: Gateway,
    caller: Caller,
    sender: Sender,
    body: AsyncIterator[bytes],
    request_id: str,
    clock: Callable[[], float] = time.time,
) -> Batch:
    """The new batch, in progress. *body* is the JSON of the SDKs' ``BatchCreateParams``.

    Raises InvalidRequest or RequestTooLarge for what is wrong with the batch as a whole; nothing has happened then.
    """
    ports = batches_of(gateway)
    # A request is one batch: whoever sends it again, because the answer was lost, sends another request.
    batch_id = batch_id_of("https", caller.key_id, request_id)
    job = job_sent_by(sender)
    upload = await in_thread(_Upload, ports, batch_id, job)
    gathered: list[bytes] = []
    size = 0
    try:
        async for piece in body:
            gathered.append(piece)
            size += len(piece)
            if size >= _PIECE_BYTES:
                await in_thread(upload.add, b"".join(gathered))
                gathered.clear()
                size = 0
        await in_thread(upload.finish, b"".join(gathered))
        now = clock()
        batch = Batch(
            id=batch_id,
            owner=caller.key_id,
            job=job,
            source=Source("", "", ""),
            state="indexing",
            created_at=now,
            expires_at=now + LIFETIME_SECONDS,
            total=upload.total,
            estimated_tokens=upload.estimated_tokens,
        )
        allowed = tokens_a_minute(gateway, caller)
        expected = await in_thread(expected_end, ports.store, batch, upload.estimated_tokens, allowed, now)
        source = await in_thread(upload.commit)
    except BaseException:
        await in_thread(upload.abort)
        raise
    batch = replace(batch, source=source, expected_end_at=expected)
    batch = await in_thread(_begin, ports, batch, upload.parts, clock)
    log("batch_submitted", {"request_id": request_id, "batch_id": batch_id, "items": batch.total, "bytes": source.size})
    return batch


def tokens_a_minute(gateway: Gateway, caller: Caller) -> int:
    """What the caller's batches may use, beside its other calls: what the settings say, else as much as those."""
    set_for_all = gateway.settings.batch_tokens_per_minute
    return set_for_all or load(gateway.settings.tiers).of(caller).tokens_per_minute


class _Upload:
    """The lines on their way to the bucket, and the parts that they make. Its methods block."""

    def __init__(self, ports: BatchPorts, batch_id: str, job: Job) -> None:
        self.parts: list[Part] = []
        self._key = lines_key(batch_id)
        self._writer = ports.objects.writer(self._key)
        self._splitter = RequestSplitter()
        self._indexer = LineIndexer(batch_id, job)
        self._size = 0

    @property
    def total(self) -> int:
        return self._splitter.count

    def add(self, piece: bytes) -> None:
        self._write(self._splitter.feed(piece))

    @property
    def estimated_tokens(self) -> int:
        return self._indexer.estimated_tokens

    def finish(self, piece: bytes) -> None:
        self.add(piece)
        self._write(self._splitter.finish())
        self.parts += self._indexer.finish()

    def commit(self) -> Source:
        return Source(self._key, self._writer.commit(), NAME, self._size)

    def abort(self) -> None:
        self._writer.abort()

    def _write(self, lines: bytes) -> None:
        self.parts += self._indexer.feed(lines)
        self._writer.write(lines)
        self._size += len(lines)


def _begin(ports: BatchPorts, batch: Batch, parts: list[Part], clock: Callable[[], float]) -> Batch:
    """Once it is recorded the batch is the caller's: a failure after that is not told.

    The SDKs would send everything once more, and pay for it twice; the schedule carries on what was left undone.
    """
    known = ports.store.create(batch)
    try:
        ports.store.add_parts(parts)
        source = batch.source
        known = ports.store.start(
            batch.id,
            total=batch.total,
            parts=len(parts),
            lines=source.key,
            lines_version=source.version,
            estimated_tokens=batch.estimated_tokens,
            expected_end_at=batch.expected_end_at,
        )
        send_unsent(ports, known, clock())
    except GatewayError as error:
        log("batch_begins_later", {"batch_id": batch.id}, error=error)
    return known
