"""RIS: a record as reference managers (EndNote, Zotero, Mendeley) import it."""

from __future__ import annotations

from tomarium.model import Record
from tomarium.standards import record_json
from tomarium.standards.citation import DRAFT, day_of, doi_of, in_line, licence_told, link_of
from tomarium.standards.names import name_of
from tomarium.standards.standard import Standard


def export(record: Record, address: str = "") -> str:
    """Write a record as a reference of the type DATA.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page, which is given where there is no DOI.

    Returns
    -------
    str
        Lines that end in CR LF, as the format demands.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold, such as half a character.
    """
    record_json.demand_json(record)
    day, publication = day_of(record), record.publication
    licence = licence_told(record)
    lines = [
        ("TY", "DATA"),
        *(("AU", name_of(person).ordered) for person in record.creators),
        ("TI", record.title or record.id),
        ("PY", f"{day.year:04}"),
        ("DA", f"{day.year:04}/{day.month:02}/{day.day:02}"),
        ("PB", publication.publisher if publication else ""),
        ("ET", f"Version {publication.version}" if publication else ""),
        ("M3", "Dataset"),
        ("DO", doi_of(record)),
        ("UR", link_of(record, address)),
        ("ID", record.id),
        ("AB", record.description),
        *(("KW", word) for word in record.keywords),
        ("N1", "" if publication else f"{DRAFT.capitalize()}."),
        ("N1", _withdrawn_note(record)),
        ("N1", f"Licence: {licence}" if record.licence.strip() else licence),
    ]
    # A line's content must stand on one line, else what follows is read as another field.
    filled = [f"{tag}  - {in_line(content)}" for tag, content in lines if in_line(content)]
    return "\r\n".join([*filled, "ER  - ", ""])


def _withdrawn_note(record: Record) -> str:
    withdrawn = record.publication.withdrawn if record.publication else None
    return f"Withdrawn on {withdrawn.date().isoformat()}." if withdrawn else ""


RIS = Standard(
    name="ris",
    title="RIS",
    filename="citation.ris",
    media_type="application/x-research-info-systems",
    export=export,
)
