"""A port for a server of another program, which must be told of it before it listens there."""

from __future__ import annotations

import random
import socket
from typing import Final

LOW: Final = range(15_000, 30_000)
"""Below the ports that the system gives to connections, one of which would else take it before the server does."""

_given: set[int] = set()


def free_port() -> int:
    """Return a port of this machine at which nothing listens, each only once."""
    for port in random.SystemRandom().sample(LOW, len(LOW)):
        if port not in _given:
            _given.add(port)
            try:
                socket.create_server(("127.0.0.1", port)).close()
            except OSError:
                continue
            return port
    raise AssertionError(f"nothing is free among the ports {LOW.start} to {LOW.stop - 1}")
