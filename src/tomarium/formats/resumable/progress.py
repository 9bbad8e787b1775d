"""Which parts of an unfinished work are on disk, so that it goes on after its process was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProgressLog:
    """A file of lines of JSON, one for each part that is on disk."""

    path: Path

    def read(self) -> list[Any]:
        """Return the lines, none where there is no file; a last line cut short by a kill is taken away."""
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return []
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            os.truncate(self.path, len(whole.encode()))
        return [json.loads(line) for line in whole.splitlines()]

    def look(self) -> tuple[list[Any], int]:
        """Return the lines that can be read, and how many cannot, while another process may add some: all stay."""
        try:
            text = self.path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return [], 0
        lines, damaged = [], 0
        for line in text[: text.rfind("\n") + 1].splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                damaged += 1
        return lines, damaged

    @contextmanager
    def adding(self) -> Iterator[Callable[[Any], None]]:
        """Open the file; yield what adds a line and forces it to disk."""
        with self.path.open("a", encoding="utf-8") as stream:

            def add(line: Any) -> None:
                stream.write(json.dumps(line) + "\n")
                stream.flush()
                os.fsync(stream.fileno())

            yield add

    def replace(self, lines: Iterable[Any]) -> None:
        """Keep other lines instead of those that are there, in the same file, which may hold a lock."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.truncate(0)
            stream.writelines(json.dumps(line) + "\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())
