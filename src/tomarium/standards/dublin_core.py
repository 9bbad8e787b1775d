"""Dublin Core: the fifteen elements in which every archive can be harvested (oai_dc, DCMES 1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from tomarium.model import Record
from tomarium.standards import panet, record_json
from tomarium.standards.access_rights import EMBARGO_END, SEMANTICS, access_now
from tomarium.standards.citation import day_of, in_line, link_of
from tomarium.standards.identifiers import place_of
from tomarium.standards.licences import address_of
from tomarium.standards.names import name_of
from tomarium.standards.standard import Standard

NAMESPACE: Final = "http://www.openarchives.org/OAI/2.0/oai_dc/"
SCHEMA: Final = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"
ELEMENTS: Final = "http://purl.org/dc/elements/1.1/"
_ROOT: Final = {
    "xmlns:oai_dc": NAMESPACE,
    "xmlns:dc": ELEMENTS,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
}


def export(record: Record, address: str = "") -> str:
    """Write a record in Dublin Core.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page.

    Returns
    -------
    str
        XML 1.0, valid against the schema oai_dc. Control characters are left out, which XML cannot hold.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold, such as half a character.
    """
    root = dc(record, address)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def dc(record: Record, address: str = "") -> ElementTree.Element:
    """Write a record as the element `oai_dc:dc`; parameters and errors as of `export`."""
    record_json.demand_json(record)
    root = ElementTree.Element("oai_dc:dc", _ROOT)
    for name, text in _terms(record, address):
        if line := "".join(sign for sign in in_line(text) if sign not in "\ufffe\uffff"):
            ElementTree.SubElement(root, f"dc:{name}").text = line
    return root


def _terms(record: Record, address: str) -> Iterator[tuple[str, str]]:
    publication = record.publication
    yield "title", record.title or record.id
    for person in record.creators:
        yield "creator", name_of(person).ordered
    for word in record.keywords:
        yield "subject", word
    for technique in record.techniques:
        yield "subject", panet.label_of(technique)
        yield "subject", panet.address_of(technique)
    yield "description", record.description
    yield "publisher", publication.publisher if publication else ""
    yield "date", day_of(record).isoformat()
    access = access_now(record)
    if publication and access == "embargoedAccess":
        yield "date", f"{EMBARGO_END}{publication.open_from.date().isoformat()}"
    yield "type", "Dataset"
    yield "type", "info:eu-repo/semantics/dataset"
    for media_type in sorted({entry.media_type for entry in record.files if entry.media_type}):
        yield "format", media_type
    yield "identifier", link_of(record, address)
    yield "identifier", address if address != link_of(record, address) else ""
    for related in record.related:
        yield (
            "source" if related.relation == "IsDerivedFrom" else "relation",
            place_of(related.identifier, address),
        )
    yield "rights", f"{SEMANTICS}{access}"
    licence = in_line(record.licence)
    yield "rights", address_of(licence) or licence


DUBLIN_CORE = Standard(
    name="dublin-core",
    title="Dublin Core (oai_dc)",
    filename="dublin-core.xml",
    media_type="application/xml",
    export=export,
)
