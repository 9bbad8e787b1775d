"""Pictures that a worker drew of a record's volume or scan, and why one of them could not be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tomarium.model import Part, Record
from tomarium.viewers.viewer import Piece, View, Viewer, fill

FOLDER: Final = "previews/drawn"
WORDS: Final = {
    "sheet": "Slices from the first to the last",
    "histogram": "Histogram inside the circle",
    "rings": "A slice in polar coordinates: a ring is an upright line",
    "axis": "The middle row about nine rotation axes, a column apart",
    "turntable": "A turn about the rotation axis",
}
"""Kind → what is said of it, in the order of the page."""


def told_of(record: Record) -> Mapping[str, Any]:
    """Return what a record keeps of its pictures: `of`, `files` (kind → name) and `failed` (kind → reason).

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    Mapping
        Empty where none were drawn, or what it says is no such thing.
    """
    return next((_summary(part) for part in record.parts if _summary(part)), {})


def _summary(part: Part) -> Mapping[str, Any]:
    summary = part.summary.get("drawn")
    sound = isinstance(summary, Mapping) and all(
        isinstance(summary.get(key), Mapping) for key in ("files", "failed")
    )
    return summary if sound and summary is not None else {}


def suits(part: Part) -> bool:
    """Tell whether pictures were drawn of a part, or could not be.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        It tells of at least one.
    """
    summary = _summary(part)
    return bool(summary.get("files") or summary.get("failed"))


def render(record: Record, view: View) -> Piece:
    """Show the pictures, the turntable folded: what moves, moves only when it is wanted.

    Parameters
    ----------
    record : Record
        With pictures.
    view : View
        Addresses; nothing can be chosen.

    Returns
    -------
    Piece
        Its data: `pictures`, each with kind, path, address and caption, and `failed`, kind → reason.
    """
    summary, paths = told_of(record), {entry.path for entry in record.files}
    pictures = []
    for kind, caption in WORDS.items():
        path = f"{FOLDER}/{summary['files'].get(kind)}"
        if path in paths:
            pictures.append({"kind": kind, "path": path, "address": view.file(path), "caption": caption})
    failed = {kind: str(summary["failed"][kind]) for kind in WORDS if kind in summary["failed"]}
    data = {"pictures": pictures, "failed": failed}
    return Piece(data, fill("drawn.html", {**data, "title": record.title}, view.translations))


DRAWN = Viewer(name="drawn", title="Overviews", order=25, suits=suits, render=render)
