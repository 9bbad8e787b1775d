"""A volume's record is linked to the record of its raw scan, where the catalogue has one of the same file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from tomarium.catalogue.audit import lines
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import rewrite
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.scan_parameters import FINGERPRINT
from tomarium.catalogue.search import search
from tomarium.errors import FormatError
from tomarium.model import Record, Related

_MOST: Final = 20
"""Records that tell the same checksum and are looked at."""


def link_raw_scan(catalogue: Catalogue, reader: Reader, record: Record) -> Record:
    """Say of a draft that it is derived from the record of its raw scan.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the draft is.
    record : Record
        In the catalogue, made by a run. Nothing is done where it was published, says already what it is derived from,
        where a person has edited that, or where none or several records are of this file.

    Returns
    -------
    Record
        As it is now.
    """
    source = record.provenance.get("source")
    fingerprint = source.get("fingerprint") if isinstance(source, Mapping) else None
    sha256 = fingerprint.get("sha256") if isinstance(fingerprint, Mapping) else None
    if not isinstance(sha256, str) or record.publication is not None:
        return record
    if any(related.relation == "IsDerivedFrom" for related in record.related):
        return record
    with catalogue.reading() as connection:
        if _is_edited(connection, record.id):
            return record
    found = _records_of_file(catalogue, reader, sha256, record.id)
    if len(found) != 1:
        return record
    link = Related("IsDerivedFrom", found[0])

    def change(_connection: Connection, now: Record) -> Record:
        return replace(now, related=(*now.related, link))

    return rewrite(catalogue, reader, record.id, "link raw scan", change, [found[0]])


def _is_edited(connection: Connection, id: str) -> bool:
    """Tell whether a person has changed what a record is related to."""
    edits = (line.told.get("told") for line in lines(connection, record=id) if line.action == "edit")
    return any(isinstance(names, list) and "related" in names for names in edits)


def _records_of_file(catalogue: Catalogue, reader: Reader, sha256: str, besides: str) -> list[str]:
    """List the raw scans of the catalogue that a reader sees and that are of one file."""
    found = []
    for hit in search(catalogue, reader, sha256, limit=_MOST).hits:
        with catalogue.reading() as connection:
            folder = folder_of(connection, hit.id)
        if folder is None or hit.id == besides:
            continue
        try:
            other = read_record(folder)
        except (FormatError, OSError):
            continue
        value = other.parameters.get(FINGERPRINT)
        if (
            value is not None
            and value.value == sha256
            and any(part.kind == "projections" for part in other.parts)
        ):
            found.append(hit.id)
    return found
