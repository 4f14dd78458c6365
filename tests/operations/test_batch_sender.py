"""How the requests of a batch are sent."""

import pytest

from megallm.batches.model import Job
from megallm.batches.options import job_of
from megallm.operations.batch_sender import job_sent_by, sender_of
from megallm.operations.route_call import Sender


@pytest.mark.parametrize(
    "sender",
    [
        Sender(),
        Sender("2026-10-21", ("one", "two")),
        Sender(headers=(("anthropic-user-profile-id", "up_1"), ("anthropic-workspace-id", "w"))),
    ],
)
def test_the_items_are_sent_as_the_batch_was(sender: Sender) -> None:
    """Version, betas and headers come back out of the record."""
    assert sender_of(job_sent_by(sender)) == sender


@pytest.mark.parametrize("job", [job_of("summarize", {}), job_of("messages", {}), Job("messages")])
def test_other_jobs_are_sent_as_usual(job: Job) -> None:
    """Templates need no betas."""
    assert sender_of(job) == Sender()
