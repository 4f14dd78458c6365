"""Taking a port, and saying who has it."""

import os
import socket
from pathlib import Path

import pytest

from megallm.local.ports import PortTaken, _free_port, take


def test_a_taken_port_is_named_with_its_holder_and_the_remedy() -> None:
    """The user should neither search for the program nor for the variable."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        comm = Path(f"/proc/{os.getpid()}/comm")
        by = f"process {os.getpid()} ({comm.read_text().strip()})" if comm.exists() else "another program"

        with pytest.raises(PortTaken) as refused:
            take(port)

    other = str(refused.value).rpartition(" ")[2].rstrip(")")
    assert str(refused.value) == (
        f"Port {port} is taken by {by}. Stop that program, or take another port: "
        f"PORT={other} make run (or megallm dev --port {other})"
    )
    assert int(other) != port


def test_a_port_is_offered_only_with_its_neighbour() -> None:
    """The local AWS goes there. None at all leaves the choice to the system."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        offered = _free_port([port, port - 1])

    assert offered == 0


def test_a_port_is_held_but_not_answered_until_somebody_listens() -> None:
    """A client that comes while the model loads should be refused, not left waiting."""
    with take(0) as held:
        port = held.getsockname()[1]

        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_port_is_bound_on_the_loopback_interface() -> None:
    """Nobody else in the café may use the model."""
    with take(0) as held:
        assert held.getsockname()[0] == "127.0.0.1"
