"""Workers racing for the parts of one batch, over the wire to the local AWS."""

import sys

import pytest

from megallm.local import aws
from megallm.local.isolation import local_target
from tests.stores.race import expected, race

pytestmark = pytest.mark.slow

PARTS = 20


def test_racing_workers_count_each_part_once() -> None:
    """And at least one of them sees that its part was the last; threads change as often as they can."""
    running = aws.start()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        record, last = race(local_target(running.endpoint_url).batch_dynamodb(), "race", PARTS)
    finally:
        sys.setswitchinterval(before)
        running.stop()

    assert record == expected(PARTS)
    assert last >= 1
