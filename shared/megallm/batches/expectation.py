"""When a batch that runs will be done, as far as its record tells. Pure."""

from megallm.batches.model import Batch


def expected_end_of(batch: Batch, now: float) -> float | None:
    """When a batch that runs will be done: at the pace that it has had so far; before that, as was expected.

    None where nothing is known, and for one that has ended. What is not done when its time is over expires.
    """
    if batch.state == "ended":
        return None
    expected = batch.expected_end_at
    if batch.finished > 0 and batch.created_at < now:
        expected = now + (now - batch.created_at) * (batch.total - batch.finished) / batch.finished
    return None if expected is None else min(max(expected, now), batch.expires_at)
