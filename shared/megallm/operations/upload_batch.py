"""A file becomes a batch: it goes into the bucket, and a job message that points to it to the intake.

Files that are dropped into the inbox are worked on as their folder says. This is the way for those with options, and
for whoever wants to know the batch's id at once: it follows from the owner and the token.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import to_json

from megallm.batches.formats import check_name
from megallm.batches.job_message import VERSION, parse_job
from megallm.batches.model import OPERATOR, Job, batch_id_of
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.written import write_pieces


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
    write_pieces(ports.objects, key, pieces)
    ports.queues.send_job(message.decode())
    return Submitted(batch_id, is_new=True)
