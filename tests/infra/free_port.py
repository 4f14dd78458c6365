"""A port for a program that cannot choose one by itself."""

import random
import socket

# Below what Linux, macOS and Windows give to those who ask for any port, and to connections: between our look and the
# program's start nobody is given it by chance.
_FIRST, _LAST = 20_000, 30_000


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    while True:
        port = random.randint(_FIRST, _LAST)
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
