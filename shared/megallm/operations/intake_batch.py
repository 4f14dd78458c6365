"""What comes in becomes a batch: an object of the inbox, or a job message. The same thing again, the same batch."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from megallm.batches.conversion import job_line_in
from megallm.batches.formats import check_name
from megallm.batches.inbox import job_of_drop, owner_of, target_of, task_of
from megallm.batches.indexing import with_job_line
from megallm.batches.job_message import JobMessage, inline_lines, source_key
from megallm.batches.model import LIFETIME_SECONDS, OPERATOR, Batch, Job, Source, batch_id_of, lines_key
from megallm.batches.options import max_microdollars
from megallm.batches.refused import Refused
from megallm.errors import InvalidRequest
from megallm.keys import KeyStatus
from megallm.operations.batch_ending import refuse_batch
from megallm.operations.batch_index import USUAL, IndexRules, index_batch
from megallm.operations.batch_ports import BatchPorts, ObjectChanged, ObjectHead

Standing = Callable[[str], KeyStatus | None]

_HEAD_BYTES = 1024 * 1024  # what a first line with options may have
_INLINE_NAME = "items.jsonl"


def intake_object(
    ports: BatchPorts,
    key: str,
    version: str,
    now: float,
    standing: Standing,
    rules: IndexRules = USUAL,
) -> Batch:
    """The batch of an object that was dropped under its (decoded) *key*; of one that cannot be one, the refused batch.

    *version* is "" where the event has none. *standing* tells how it stands with the key of an id; None: there is none.
    Raises InternalError where AWS fails; called again, it goes on.
    """
    head = ports.objects.head(key, version)
    pinned = head.version if head is not None else version
    owner, fault = _owner(owner_of(key), standing)
    batch_id = batch_id_of("s3", ports.bucket, key, pinned)
    source = Source(key, pinned, key.rpartition("/")[2], head.size if head is not None else 0)
    job = Job(task_of(key))  # all that is known of a job that is refused
    try:
        _check(fault)
        target = target_of(key)
        there = _there(head)
        job = job_of_drop(target, there.metadata)
        job = _with_first_line(ports, source, job)
    except InvalidRequest as error:
        return _refused(ports, _new(batch_id, owner, job, source, now), error)
    token = job.options.get("client_token")
    if isinstance(token, str):
        batch_id = batch_id_of("token", owner, token)
    return _accepted(ports, _new(batch_id, owner, job, source, now), now, rules)


def intake_job(
    ports: BatchPorts,
    message: JobMessage,
    fallback_id: str,
    now: float,
    standing: Standing,
    rules: IndexRules = USUAL,
) -> Batch:
    """The batch of a job message. *fallback_id* is the queue's id of it, for one without a ``client_token``.

    Otherwise as ``intake_object``; a message that points to what is not its owner's is refused.
    """
    job = message.job()
    token = job.options.get("client_token")
    batch_id = batch_id_of("token", message.owner, token) if isinstance(token, str) else batch_id_of("sqs", fallback_id)
    known = ports.store.get(batch_id)
    if known is not None:
        return intake_batch(ports, known, now, rules)
    source = Source("", "", "")
    owner, fault = _owner(message.owner, standing)
    try:
        _check(fault)
        source = _inline(ports, message, batch_id) if message.source is None else _pointed_to(ports, message, job)
        job = _with_first_line(ports, source, job)
    except InvalidRequest as error:
        return _refused(ports, _new(batch_id, owner, job, source, now), error)
    token = job.options.get("client_token")
    if isinstance(token, str):  # the first line may have brought it
        batch_id = batch_id_of("token", owner, token)
    return _accepted(ports, _new(batch_id, owner, job, source, now), now, rules)


def intake_batch(ports: BatchPorts, batch: Batch, now: float, rules: IndexRules = USUAL) -> Batch:
    """Records the batch, unless it is, and indexes it, unless it was. *batch* is as ``indexing`` begins."""
    return index_batch(ports, ports.store.create(batch), now, rules)


def _new(batch_id: str, owner: str, job: Job, source: Source, now: float) -> Batch:
    return Batch(
        id=batch_id,
        owner=owner,
        job=job,
        source=source,
        state="indexing",
        created_at=now,
        expires_at=now + LIFETIME_SECONDS,
    )


def _accepted(ports: BatchPorts, batch: Batch, now: float, rules: IndexRules) -> Batch:
    return intake_batch(ports, replace(batch, max_microdollars=max_microdollars(batch.job)), now, rules)


def _refused(ports: BatchPorts, batch: Batch, error: InvalidRequest) -> Batch:
    # The record has the problem from its beginning: should this process die now, the schedule must not work on it.
    known = ports.store.create(replace(batch, problem=error.message))
    return refuse_batch(ports, known, error.message, batch.created_at)


def _owner(named: str, standing: Standing) -> tuple[str, str | None]:
    """Whose the batch is, and what is wrong with that. Without such a key, the operator's: nobody else would see it."""
    match "active" if named == OPERATOR else standing(named):
        case "active":
            return named, None
        case None:
            return OPERATOR, f"owner: there is no key with the id {named}"
        case ("expired" | "revoked") as status:
            return named, f"The key {named}, which owns this, is {status}"
        case never:
            assert_never(never)


def _check(fault: str | None) -> None:
    if fault is not None:
        raise Refused(fault)


def _there(head: ObjectHead | None) -> ObjectHead:
    if head is None:
        raise Refused("The object was deleted or replaced before it was read")
    return head


def _with_first_line(ports: BatchPorts, source: Source, job: Job) -> Job:
    """The job with the options of the input's first line."""
    try:
        head = ports.objects.read(source.key, 0, _HEAD_BYTES, source.version)
    except ObjectChanged:
        raise Refused("The object was deleted or replaced before it was read") from None
    options = job_line_in(source.name, head)
    return job if options is None else with_job_line(job, options)


def _inline(ports: BatchPorts, message: JobMessage, batch_id: str) -> Source:
    """Writes the message's items to where they are indexed; what is there already, under the same id, stays."""
    key = lines_key(batch_id)
    ports.objects.put_new(key, inline_lines(message))
    head = _there(ports.objects.head(key))
    return Source(key, head.version, _INLINE_NAME, head.size)


def _pointed_to(ports: BatchPorts, message: JobMessage, job: Job) -> Source:
    key = source_key(message, ports.bucket)
    name = key.rpartition("/")[2]
    check_name(name, job.task)
    head = _there(ports.objects.head(key))
    return replace(Source(key, head.version, name), size=head.size)
