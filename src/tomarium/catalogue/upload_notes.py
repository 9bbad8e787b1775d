"""What is noted beside uploads: whose a batch is, which uploads it has, how large each will be."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

INFO: Final = "info.json"
BATCH: Final = "batch.json"
NAME: Final = re.compile(r"[A-Za-z0-9_-]{22}")
"""Of a batch, and of either folder of an upload."""


@dataclass(frozen=True)
class Batch:
    """Uploads that become a record.

    Attributes
    ----------
    id, title : str
        Its name in addresses, and the title it was given.
    made_utc : float
        When it was begun, in seconds since 1970.
    bytes : int
        Bytes that its files have when they are whole.
    whole : bool
        Whether all its files are here and were put in their places.
    """

    id: str
    title: str
    made_utc: float
    bytes: int
    whole: bool


def key_of(path: str) -> str:
    """Name the folder in which the uploads of a path lie."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.encode()).digest()[:16]).decode().rstrip("=")


def uploads_in(home: Path) -> list[tuple[str, str]]:
    """List the uploads of a batch, each by what was made of its path and which beginning it is."""
    keys = [place for place in home.iterdir() if NAME.fullmatch(place.name)]
    return [(key.name, info.parent.name) for key in keys for info in key.glob(f"*/{INFO}")]


def length_of(info: Path) -> int:
    """Return how many bytes an upload has when it is whole; 0 where its notes are gone."""
    with suppress(OSError, ValueError):
        return int(json.loads(info.read_text(encoding="utf-8"))["length"])
    return 0


def read_batch(home: Path) -> dict[str, Any]:
    """Read the notes of a batch."""
    notes: dict[str, Any] = json.loads((home / BATCH).read_text(encoding="utf-8"))
    return notes


def owner_of(home: Path) -> str:
    """Return whose a batch is; "" where its notes are gone."""
    try:
        return _known_owner(home)
    except (OSError, ValueError):
        return ""


@lru_cache(maxsize=4096)
def _known_owner(home: Path) -> str:  # it never changes, and a name of a batch is given once
    return str(read_batch(home)["owner"])


def read_info(place: Path) -> dict[str, Any]:
    """Read the notes of an upload, in its folder."""
    notes: dict[str, Any] = json.loads((place / INFO).read_text(encoding="utf-8"))
    return notes
