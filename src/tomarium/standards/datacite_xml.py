"""DataCite Metadata Schema 4.7 as XML, the form in which repositories exchange it and OAI-PMH carries it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree

from tomarium.errors import FormatError
from tomarium.model import Record
from tomarium.standards import record_json
from tomarium.standards.datacite_attributes import SCHEMA, TO_COME, attributes
from tomarium.standards.standard import Standard

_PLACE: Final = f"{SCHEMA} https://schema.datacite.org/meta/kernel-4.7/metadata.xsd"
_ROOT: Final = {
    "xmlns": SCHEMA,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": _PLACE,
}
_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no Char of XML 1.0 (production 2)."""

# list in the JSON → element of the XML; its text is what the JSON calls by the element's name.
_LISTS: Final = {
    "subjects": "subject",
    "dates": "date",
    "alternateIdentifiers": "alternateIdentifier",
    "relatedIdentifiers": "relatedIdentifier",
    "sizes": "size",
    "formats": "format",
    "rightsList": "rights",
    "descriptions": "description",
}

# element of a funding reference → what the JSON calls its attribute, and what the XML calls it.
_IDENTIFIED: Final = (
    ("funderIdentifier", "funderIdentifierType", "funderIdentifierType"),
    ("awardNumber", "awardUri", "awardURI"),
)

Element = ElementTree.Element


def export(record: Record, address: str = "") -> str:
    """Write a record as XML of DataCite.

    Parameters
    ----------
    record : Record
        Any record. One without a DOI is identified by the address of its page, else by ":tba".
    address : str, optional
        Address of its page.

    Returns
    -------
    str
        XML 1.0, valid against the schema of DataCite 4.7.

    Raises
    ------
    FormatError
        The record holds what JSON or XML cannot hold, such as half a character or a control character.
    """
    root = resource(record, address)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def resource(record: Record, address: str = "", access: Mapping[str, str] | None = None) -> Element:
    """Write a record as the element `resource` of DataCite.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page.
    access : Mapping of str to str, optional
        One more item of `rightsList`, which tells who may have the files now.

    Returns
    -------
    Element
        Its tags stand without a prefix, and `xmlns` as an attribute.

    Raises
    ------
    FormatError
        As `export`.
    """
    record_json.demand_json(record)
    content = attributes(record, address)
    if access is not None:
        content["rightsList"] = [access, *content["rightsList"]]
    root = Element("resource", _ROOT)
    doi = content.get("doi", "")
    kind = "URL" if address and not doi else "DOI"
    _add(root, "identifier", doi or address or TO_COME, {"identifierType": kind})
    creators = _add(root, "creators")
    for creator in content["creators"]:
        _add_creator(creators, creator)
    titles = _add(root, "titles")
    for title in content["titles"]:
        _add(titles, "title", title["title"])
    _add(root, "publisher", content["publisher"]["name"])
    _add(root, "publicationYear", content["publicationYear"])
    kinds = content["types"]
    _add(root, "resourceType", kinds["resourceType"], {"resourceTypeGeneral": kinds["resourceTypeGeneral"]})
    for name, element in _LISTS.items():
        if name in content:
            _add_list(_add(root, name), element, content[name])
    if "version" in content:
        _add(root, "version", content["version"])
    if "fundingReferences" in content:
        references = _add(root, "fundingReferences")
        for fundingreference in content["fundingReferences"]:
            reference = _add(references, "fundingReference")
            for term in ("funderName", "awardTitle"):
                if term in fundingreference:
                    _add(reference, term, fundingreference[term])
            for term, key, attribute in _IDENTIFIED:
                if term in fundingreference:
                    _add(
                        reference,
                        term,
                        fundingreference[term],
                        {attribute: fundingreference[key]} if key in fundingreference else None,
                    )
    return root


def _add_creator(creators: Element, content: Mapping[str, Any]) -> None:
    creator = _add(creators, "creator")
    kind = {"nameType": content["nameType"]} if "nameType" in content else {}
    _add(creator, "creatorName", content["name"], kind)
    for term in ("givenName", "familyName"):
        if term in content:
            _add(creator, term, content[term])
    _add_list(creator, "nameIdentifier", content.get("nameIdentifiers", []))
    _add_list(creator, "affiliation", content.get("affiliation", []), called="name")


def _add_list(parent: Element, name: str, items: list[Any], called: str = "") -> None:
    """Add elements whose text is what the JSON calls like them, or `called`; all else are attributes."""
    for item in items:
        if isinstance(item, str):
            _add(parent, name, item)
        else:
            text = called or name
            attributes_of_item = {
                re.sub("Uri$", "URI", key): content for key, content in item.items() if key != text
            }
            _add(parent, name, item[text], attributes_of_item)


def _add(
    parent: Element, name: str, text: str = "", attributes_given: Mapping[str, str] | None = None
) -> Element:
    for content in (text, *(attributes_given or {}).values()):
        if match := _FORBIDDEN.search(content):
            raise FormatError(
                f"{name} {content[:60]!r} holds the character U+{ord(match[0]):04X}, which XML cannot hold; "
                f"take it out of the record, or export it as JSON"
            )
    element = ElementTree.SubElement(parent, name, dict(attributes_given or {}))
    element.text = text or None
    return element


DATACITE = Standard(
    name="datacite",
    title="DataCite 4.7 (XML)",
    filename="datacite.xml",
    media_type="application/vnd.datacite.datacite+xml",
    export=export,
)
