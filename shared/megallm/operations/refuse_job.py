"""A job message that nobody can read becomes a refused batch of the operator's, so that it is seen why."""

from megallm.batches.job_message import task_in
from megallm.batches.model import LIFETIME_SECONDS, OPERATOR, Batch, Job, Source, batch_id_of
from megallm.operations.batch_ending import refuse_batch
from megallm.operations.batch_ports import BatchPorts


def refuse_job(ports: BatchPorts, message_id: str, body: bytes, problem: str, now: float) -> Batch:
    """The refused batch of a message with this *body*; the same message again, the same one.

    Raises InternalError where AWS fails.
    """
    batch = Batch(
        id=batch_id_of("sqs", message_id),
        owner=OPERATOR,
        job=Job(task_in(body)),
        source=Source("", "", ""),
        state="indexing",
        created_at=now,
        expires_at=now + LIFETIME_SECONDS,
        problem=problem,
    )
    return refuse_batch(ports, ports.store.create(batch), problem, now)
