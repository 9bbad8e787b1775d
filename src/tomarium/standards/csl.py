"""CSL-JSON 1.0: a record as citation programs (Zotero, pandoc, citeproc) read it."""

from __future__ import annotations

from typing import Any

from tomarium.model import Record
from tomarium.standards import record_json
from tomarium.standards.citation import DRAFT, day_of, doi_of, in_line, licence_told, link_of
from tomarium.standards.names import Name, name_of
from tomarium.standards.standard import Standard


def export(record: Record, address: str = "") -> str:
    """Write a record as a list of one item in CSL-JSON.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page, which is given where there is no DOI.

    Returns
    -------
    str
        JSON.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold.
    """
    record_json.demand_json(record)
    day, publication = day_of(record), record.publication
    notes = [] if publication else [f"{DRAFT.capitalize()}."]
    if publication and publication.withdrawn:
        notes.append(f"Withdrawn on {publication.withdrawn.date().isoformat()}.")
    licence = licence_told(record)
    item: dict[str, Any] = {
        "id": record.id,
        "type": "dataset",
        "title": in_line(record.title) or record.id,
        "author": [_author(name_of(person)) for person in record.creators if in_line(person.name)],
        "issued": {"date-parts": [[day.year, day.month, day.day]]},
        "publisher": in_line(publication.publisher) if publication else "",
        "version": str(publication.version) if publication else "",
        "status": "" if publication else DRAFT,
        "DOI": doi_of(record),
        "URL": link_of(record, address),
        "abstract": in_line(record.description),
        "keyword": ", ".join(filter(None, map(in_line, record.keywords))),
        "note": " ".join([*notes, f"Licence: {licence}" if record.licence.strip() else licence]),
    }
    return record_json.to_json([{key: content for key, content in item.items() if content}], indent=1) + "\n"


def _author(name: Name) -> dict[str, str]:
    if name.organisation or not name.given:
        return {"literal": name.ordered}
    parts = {"family": name.family, "given": name.given, "suffix": name.suffix}
    return {key: content for key, content in parts.items() if content}


CSL = Standard(
    name="csl",
    title="CSL-JSON",
    filename="citation.csl.json",
    media_type="application/vnd.citationstyles.csl+json",
    export=export,
)
"""A citation in the form of the Citation Style Language."""
