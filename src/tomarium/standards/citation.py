"""How a record is cited, as plain text, and the facts that every form of a citation shares."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from typing import Final

from tomarium.model import Record
from tomarium.standards import record_json
from tomarium.standards.identifiers import DOI, doi_address
from tomarium.standards.names import name_of

DRAFT: Final = "unpublished draft"
_TURNING: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
NO_LICENCE: Final = "No licence stated."


def cite(record: Record, address: str = "") -> str:
    """Write the citation of a record, as DataCite recommends it.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page, which is given where there is no DOI.

    Returns
    -------
    str
        "Lovelace, A.; Röntgen, W. C. (2026): Tooth. Version 1. ESRF. Dataset. https://doi.org/10.5072/tooth.v1".
        A draft and a withdrawn record say so.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold, such as half a character.
    """
    record_json.demand_json(record)
    who = "; ".join(name_of(person).cited for person in record.creators)
    title = in_line(record.title) or record.id
    year = f"({day_of(record).year:04})"
    parts = [f"{who} {year}: {title}" if who else f"{title} {year}"]
    publication = record.publication
    if publication is None:
        parts += ["Dataset", DRAFT.capitalize()]
    else:
        parts += [f"Version {publication.version}", in_line(publication.publisher), "Dataset"]
        if publication.withdrawn:
            parts.append(f"Withdrawn on {publication.withdrawn.date().isoformat()}")
    text = " ".join(_sentence(part) for part in parts if part)
    link = link_of(record, address)
    return f"{text} {link}" if link else text


def acknowledgement_of(record: Record) -> str:
    """Tell what those who use a record are asked to write.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        What the record says, else what its instrument does; "" where neither says anything.
    """
    instrument = record.entity("instrument")
    asked_text = instrument.facts.get("acknowledgement", "") if instrument else ""
    return record.acknowledgement or (asked_text if isinstance(asked_text, str) else "")


def day_of(record: Record) -> date:
    """Tell the day whose year a citation gives.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    datetime.date
        When its files open, as DataCite defines the year of publication; of a draft, when it was made.
    """
    publication = record.publication
    return (
        record.created.date()
        if publication is None
        else max(publication.published, publication.open_from).date()
    )


def doi_of(record: Record) -> str:
    """Return the bare DOI of a record, "10.5072/tooth.v1"; "" where it has none."""
    match = DOI.fullmatch(record.publication.doi.strip()) if record.publication else None
    return match[1] if match else ""


def link_of(record: Record, address: str = "") -> str:
    """Return where a record is found for good: its DOI's address, else that of its page, else ""."""
    doi = doi_of(record)
    return doi_address(doi) if doi else address


def licence_told(record: Record) -> str:
    """Return the licence of a record, or a sentence that none was stated."""
    return in_line(record.licence) or NO_LICENCE


def is_embargoed(record: Record, now: datetime) -> bool:
    """Tell whether the files of a published record open only later than now."""
    return record.publication is not None and now < record.publication.open_from


def in_line(text: str) -> str:
    """Put a text on one line, without control characters and without those that turn the direction of reading."""
    return " ".join("".join(" " if _moves_the_cursor(sign) else sign for sign in text).split())


def _moves_the_cursor(sign: str) -> bool:
    # Joiners (U+200C, U+200D) are of the category of the direction marks, but words of Persian and others need them.
    return unicodedata.category(sign) in {"Cc", "Zl", "Zp"} or unicodedata.bidirectional(sign) in _TURNING


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
