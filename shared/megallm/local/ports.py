"""A TCP port of this machine: taking it before anything slow begins, and saying who has it where it is taken."""

import errno
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

HOST = "127.0.0.1"


class PortTaken(Exception):
    """Another program listens on the port; the message says who, if that can be seen, and what to do."""


def take(port: int) -> socket.socket:
    """A socket bound to the port, not yet listening: a client is refused until there is someone to answer.

    Port 0 takes a free one. Raises PortTaken.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without it, connections of the last run that are still closing would hold the port for a minute.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((HOST, port))
    except OSError as error:
        taken.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise PortTaken(_message(port, error.errno)) from error
    return taken


def _message(port: int, code: int | None) -> str:
    if code == errno.EACCES:
        return f"Port {port} is not free for users of this machine. Take one above 1024: PORT=4141 make run"
    other = _free_port(range(port + 10, 65_000, 10))
    return (
        f"Port {port} is taken{_by_whom(port)}. Stop that program, or take another port: "
        f"PORT={other} make run (or megallm dev --port {other})"
    )


def _free_port(candidates: Iterable[int]) -> int:
    """The first that is free, and its neighbour with it, where the local AWS goes; 0 lets the system choose."""
    for port in candidates:
        try:
            with socket.create_server((HOST, port)), socket.create_server((HOST, port + 1)):
                return port
        except OSError:
            continue
    return 0


def _by_whom(port: int) -> str:
    holder = _holder(port, Path("/proc"))
    return f" by process {holder[0]} ({holder[1]})" if holder else " by another program"


def _holder(port: int, proc: Path) -> tuple[int, str] | None:
    """Process id and name of whoever listens, as far as Linux shows it to this user."""
    inodes = _listening_inodes(port, proc)
    for process in proc.glob("[0-9]*") if inodes else ():
        try:
            if not inodes.isdisjoint(_open_files(process)):
                return int(process.name), (process / "comm").read_text().strip()
        except OSError:  # It has ended, or belongs to another user.
            continue
    return None


def _open_files(process: Path) -> Iterator[str]:
    for link in (process / "fd").iterdir():
        try:
            yield str(link.readlink())
        except FileNotFoundError:  # It was closed meanwhile.
            continue


def _listening_inodes(port: int, proc: Path) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:  # Not Linux.
            continue
        for fields in (line.split() for line in lines):
            local_port = int(fields[1].rpartition(":")[2], 16)
            if local_port == port and fields[3] == "0A":  # LISTEN
                inodes.add(f"socket:[{fields[9]}]")
    return inodes
