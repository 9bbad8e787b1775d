"""How far a confined process is: what its work tells while it answers.

A file of its own, for the process itself runs `child_process` under another name.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Final

AT_WORK: Final = b"p"
"""First byte of a message that tells how far the work is."""
HEAD: Final = 9
"""Bytes before what a fork tells: its kind, and its length."""


class Teller:
    """Where a fork tells how far it is; many threads may."""

    def __init__(self) -> None:
        self.file = -1
        self._lock = threading.Lock()

    def __call__(self, kind: bytes, content: bytes) -> None:
        """Write a message whole; nothing outside of a fork that answers."""
        if self.file < 0:
            return
        unwritten = memoryview(kind + len(content).to_bytes(HEAD - 1, "little") + content)
        with self._lock:
            while unwritten:
                unwritten = unwritten[os.write(self.file, unwritten) :]


TELLER: Final = Teller()


def tell_progress(stage: str, done: int, total: int) -> None:
    """Tell who asked how far the answer is; nothing outside of such a process."""
    TELLER(AT_WORK, json.dumps([stage[:200], int(done), int(total)]).encode())


def read_progress(content: bytes) -> tuple[str, int, int]:
    """Read what `tell_progress` told; ValueError for anything else. For the one who asked."""
    values = json.loads(content)
    kinds = [type(value) for value in values] if isinstance(values, list) else []
    if kinds != [str, int, int]:
        raise ValueError("no progress")
    return values[0], values[1], values[2]
