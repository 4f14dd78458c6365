"""What a signal does to a process that can be stopped."""

import signal

import pytest

from megallm.local.signals import Stopped, stoppable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_interrupts_whatever_runs(number: int) -> None:
    """A closed terminal sends SIGHUP."""
    with pytest.raises(Stopped) as stopped, stoppable():
        signal.raise_signal(number)

    assert stopped.value.exit_status == 128 + number


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    """Whoever starts a stack with nohup wants it to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            signal.raise_signal(signal.SIGHUP)
            within = signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert within == signal.SIG_IGN


def test_the_handlers_of_before_come_back() -> None:
    """The rest of the process is not ours."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]

    with stoppable():
        pass

    assert [signal.getsignal(number) for number in numbers] == before
