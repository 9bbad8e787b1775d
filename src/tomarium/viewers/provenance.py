"""What was done to a record: the chain of its steps, its protocol to be run again, and the run's own account."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tomarium.model import Record
from tomarium.model.wording import in_words
from tomarium.viewers.chain import SHOWN, chain_of
from tomarium.viewers.place import place_of
from tomarium.viewers.viewer import Piece, View, Viewer, fill

LONGEST_BYTES: Final = 200_000

BULK: Final = {
    "plan",
    "frozen",
    "statistics",
    "metadata",
    "histogram",
    "values",
    "split",
    "candidates",
    "engines",
}
"""Parts of an account that are long and for programs: where the account is a file, only the file holds them."""


def is_shown(record: Record) -> bool:
    """Tell whether anything is known of how a record was made.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    bool
        It has a provenance or a protocol.
    """
    return bool(record.provenance) or any(entry.role == "protocol" for entry in record.files)


def render(record: Record, view: View) -> Piece:
    """Show what speaks against blind trust, the chain of steps, the protocol, and the provenance as nested lists.

    Parameters
    ----------
    record : Record
        With a provenance or a protocol.
    view : View
        The protocol's text is read from its folder.

    Returns
    -------
    Piece
        Its data: `protocol` (text or None) and `provenance`.
    """
    path = next((entry.path for entry in record.files if entry.role == "protocol"), None)
    text = _read_text(place_of(view.folder, path)) if path else None
    warnings = _sentences(record.provenance.get("warnings"))
    hidden = {"protocol": bool(text), "warnings": bool(warnings)}
    account = next((entry.path for entry in record.files if entry.role == "provenance"), None)
    details = {key: value for key, value in record.provenance.items() if not hidden.get(key)}
    if account:
        details = {key: _without_bulk(value) for key, value in details.items() if key not in BULK}
    html = fill(
        "provenance.html",
        {
            "warnings": warnings,
            "known": chain_of(record, view),
            "most": SHOWN,
            "protocol": text,
            "protocol_file": view.file(path) if path else None,
            "protocol_name": path,
            "account": view.file(account) if account else None,
            "provenance": {key: shorten(value) for key, value in details.items()},
        },
        view.translations,
    )
    return Piece({"protocol": text, "provenance": dict(record.provenance)}, html)


def shorten(value: Any) -> Any:
    """Shorten long lists of plain values, for people.

    Parameters
    ----------
    value : any JSON value
        Part of a provenance.

    Returns
    -------
    any JSON value
        The same, but a list of plain values is a text; a long one has its ends and its length.
    """
    if isinstance(value, Mapping):
        return {str(key): shorten(part) for key, part in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    if any(isinstance(part, (Mapping, list, tuple)) for part in value):
        return [shorten(part) for part in value]
    return in_words(value)


def _without_bulk(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without_bulk(part) for key, part in value.items() if key not in BULK}


def _sentences(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _read_text(path: Path | None) -> str | None:
    """Read a text file; None where there is none, or where it is too long to be shown."""
    if path is None or not path.is_file() or path.stat().st_size > LONGEST_BYTES:
        return None
    return path.read_text(encoding="utf-8", errors="replace")


PROVENANCE = Viewer(
    name="provenance",
    title="How it was made",
    order=30,
    whole=is_shown,
    metadata_only=True,
    render=render,
    plainest="student",
    script=Path(__file__).parent / "assets" / "copy.js",
)
