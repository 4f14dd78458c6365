"""The clock that DynamoDB's dates put right, where several calls are under way at once."""

from email.utils import formatdate

import pytest

from megallm.limits.state import SECOND
from megallm.stores.server_clock import ServerClock

HOUR = 3600 * SECOND
BEGIN = 1_800_000_000 * SECOND


class Machine:
    """A machine whose clock is wrong, and a server whose clock is right."""

    def __init__(self, wrong_by: int) -> None:
        self.true = BEGIN
        self.wrong_by = wrong_by
        self.clock = ServerClock(lambda: self.true + self.wrong_by)

    def answer(self, sent: int) -> None:
        date = formatdate(self.true // SECOND, usegmt=True)
        self.clock.observe(date, sent, self.clock())

    @property
    def error(self) -> float:
        return abs(self.clock() - self.true) / SECOND


@pytest.mark.parametrize("wrong_by", [HOUR, -HOUR, 3 * SECOND, -3 * SECOND])
def test_an_answer_to_what_was_sent_before_a_correction_does_not_correct_again(wrong_by: int) -> None:
    """Its sending was timed by the clock as it was; the correction would be made half again, the other way."""
    machine = Machine(wrong_by)
    first, second = machine.clock(), machine.clock()

    machine.true += SECOND // 2
    machine.answer(first)
    machine.true += SECOND
    machine.answer(second)

    assert machine.error <= 1.5


def test_after_a_while_it_is_corrected_again() -> None:
    """The first correction may have been by a call that took long, or the machine's clock goes on jumping."""
    machine = Machine(HOUR)
    machine.answer(machine.clock())

    machine.true += 6 * SECOND
    machine.wrong_by += 10 * SECOND
    machine.answer(machine.clock())

    assert machine.error <= 1.5
