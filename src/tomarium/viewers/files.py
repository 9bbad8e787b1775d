"""The files of a record: what they are, how large, their checksums, and how to take them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomarium import units
from tomarium.model import Record
from tomarium.model.record import FileEntry
from tomarium.viewers.viewer import Piece, View, Viewer, fill
from tomarium.viewers.volume import volume_header, volume_path

WHAT: Final = {
    "volume": "Volume, OME-Zarr",
    "protocol": "Steps, to run again",
    "provenance": "What the run did",
    "preview": "Picture",
    "manifest": "Checksums",
    "file table": "Checksums and sizes, as a table",
    "patches": "Patches of the volume, for learning",
    "log": "Log",
}
"""Role → what a reader is told; another role stands for itself."""

ROLES: Final = (
    "volume",
    "protocol",
    "provenance",
    "preview",
    "manifest",
    "file table",
    "patches",
    "log",
    "other",
)


def is_shown(record: Record) -> bool:
    """Tell whether a record has files.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    bool
        It has at least one.
    """
    return bool(record.files)


def render(record: Record, view: View) -> Piece:
    """List the files, the volume first.

    Parameters
    ----------
    record : Record
        With files.
    view : View
        For the addresses.

    Returns
    -------
    Piece
        Its data: `files`, each with path, bytes, sha256, media_type, role, credit and address; `bytes` of them all.
    """
    credits = {part.path: part.credit for part in record.parts}
    entries = sorted(record.files, key=lambda entry: (_rank(entry.role), entry.path))
    rows = [
        {
            "path": entry.path,
            "bytes": entry.bytes,
            "size": units.show(entry.bytes, "B", digits=3),
            "sha256": entry.sha256,
            "media_type": entry.media_type,
            "role": entry.role,
            "credit": credits.get(entry.path.rstrip("/"), ""),
            "address": view.file(entry.path),
        }
        for entry in entries
    ]
    total = sum(entry.bytes for entry in entries)
    volume = volume_path(record)
    html = fill(
        "files.html",
        {
            "rows": [
                {**row, **_table_row(entry, view, credits.get(entry.path.rstrip("/"), ""))}
                for row, entry in zip(rows, entries, strict=True)
            ],
            "total": units.show(total, "B", digits=3),
            "volume": view.origin + view.file(volume) if volume else None,
            "level": volume_header(view.folder / volume)[1] if volume else None,
            "manifest": next((row["address"] for row in rows if row["role"] == "manifest"), None),
        },
        view.translations,
    )
    return Piece({"files": rows, "bytes": total}, html)


def _table_row(entry: FileEntry, view: View, credit: str) -> dict[str, str]:
    description = view.translations.gettext(_description(entry)) if _description(entry) else ""
    return {"what": ". ".join(filter(None, (description, credit))), "inside": view.inside(entry.path)}


def _description(entry: FileEntry) -> str:
    """Say what a file is: an OME-Zarr only where it is one, the media type where there is no word for the role."""
    if entry.role == "volume" and not entry.path.rstrip("/").endswith(".zarr"):
        return "Volume"
    return WHAT.get(entry.role) or entry.media_type


def _rank(role: str) -> int:
    return ROLES.index(role) if role in ROLES else len(ROLES)


FILES = Viewer(
    name="files",
    title="Files",
    order=40,
    whole=is_shown,
    render=render,
    plainest="student",
    script=Path(__file__).parent / "assets" / "copy.js",
)
