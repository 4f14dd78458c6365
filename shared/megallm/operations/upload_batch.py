"""A file becomes a batch: it goes into the bucket, and a job message that points to it to the intake.

Files that are dropped into the inbox are worked on as their folder says. This is the way for those with options, and
for whoever wants to know the batch's id at once: it follows from the owner and the token.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import to_json

from megallm.batches.formats import check_name
from megallm.batches.job_message import VERSION, parse_job
from megallm.batches.model import OPERATOR, Job, batch_id_of, result_key
from megallm.errors import InvalidRequest, NotFound
from megallm.operations.batch_ports import BatchPorts

# What a batch that is begun again leaves to the user.
_NOT_AGAIN = frozenset({"client_token", "dry_run"})


@dataclass(frozen=True, slots=True)
class Submitted:
    """``is_new`` is False where the token has made this batch before: nothing was uploaded then."""

    batch_id: str
    is_new: bool


def upload_batch(
    ports: BatchPorts, *, name: str, pieces: Iterable[bytes], job: Job, token: str, owner: str = OPERATOR
) -> Submitted:
    """Uploads the file's *pieces* and asks for the batch. *name* is the file's own; *job* has no ``client_token``.

    Raises InvalidRequest for a file that is none of ours, by its name; InternalError where AWS fails.
    """
    check_name(name, job.task)
    batch_id = batch_id_of("token", owner, token)
    if ports.store.get(batch_id) is not None:
        return Submitted(batch_id, is_new=False)
    folder = "uploads" if owner == OPERATOR else f"uploads/keys/{owner}"
    key = f"{folder}/{batch_id}/{name}"
    message = to_json(
        {
            "version": VERSION,
            "task": job.task,
            "options": {option: value for option, value in job.options.items() if value is not None},
            "source": f"s3://{ports.bucket}/{key}",
            "owner": owner,
            "client_token": token,
        }
    )
    parse_job(message)
    _write(ports, key, pieces)
    ports.queues.send_job(message.decode())
    return Submitted(batch_id, is_new=True)


def retry_failed(ports: BatchPorts, batch_id: str) -> Submitted:
    """A new batch of the items that failed in one that has ended, with the same options; asked again, the same batch.

    Raises NotFound, or InvalidRequest where it has not ended or nothing in it failed.
    """
    batch = ports.store.get(batch_id)
    if batch is None:
        raise NotFound(f"There is no batch with the id {batch_id}")
    if batch.state != "ended":
        raise InvalidRequest(f"The batch {batch_id} has not ended: what fails in it is known once it has")
    key = result_key(batch_id, "errors.jsonl")
    head = ports.objects.head(key)
    if head is None or head.size == 0:
        raise InvalidRequest(f"Nothing of the batch {batch_id} is there to be tried again: no item of it failed")
    options = {name: value for name, value in batch.job.options.items() if name not in _NOT_AGAIN}
    return upload_batch(
        ports,
        name="errors.jsonl",
        pieces=ports.objects.stream(key, head.version),
        job=Job(batch.job.task, options),
        token=f"retry-{batch_id}",
        owner=batch.owner,
    )


def _write(ports: BatchPorts, key: str, pieces: Iterable[bytes]) -> None:
    writer = ports.objects.writer(key)
    try:
        for piece in pieces:
            writer.write(piece)
    except BaseException:
        writer.abort()
        raise
    writer.commit()
