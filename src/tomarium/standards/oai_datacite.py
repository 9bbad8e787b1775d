"""DataCite's metadata as OAI-PMH carries them, with who may have the files now: the format oai_datacite.

The envelope is that of DataCite's own provider (namespace http://schema.datacite.org/oai/oai-1.1/); that access is told
in `rightsList` is what the OpenAIRE guidelines for data archives ask for.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement

from tomarium.model import Record
from tomarium.standards.access_rights import SEMANTICS, WORDS, access_now
from tomarium.standards.datacite_xml import resource

NAMESPACE: Final = "http://schema.datacite.org/oai/oai-1.1/"
SCHEMA: Final = "http://schema.datacite.org/oai/oai-1.1/oai.xsd"
_ROOT: Final = {
    "xmlns": NAMESPACE,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
}


def oai_datacite(record: Record, address: str = "") -> Element:
    """Write a record as the element `oai_datacite`.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page.

    Returns
    -------
    Element
        With DataCite 4.7 inside, and the record's access among its rights.

    Raises
    ------
    FormatError
        The record holds what XML cannot hold.
    """
    access = access_now(record)
    root = Element("oai_datacite", _ROOT)
    SubElement(root, "schemaVersion").text = "4.7"
    publication = record.publication
    SubElement(root, "datacentreSymbol").text = publication.doi.partition("/")[0] if publication else ""
    rights = {"rights": WORDS[access], "rightsUri": f"{SEMANTICS}{access}"}
    SubElement(root, "payload").append(resource(record, address, rights))
    return root
