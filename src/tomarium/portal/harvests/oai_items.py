"""From a record of OAI-PMH to what is kept of it: DataCite's metadata, or Dublin Core."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from xml.etree.ElementTree import Element, tostring

from tomarium.catalogue.harvested import Item, read_moment
from tomarium.catalogue.record_sets import read_set_name
from tomarium.errors import FormatError, ParameterError
from tomarium.portal.harvests.oai_reply import OAI
from tomarium.standards import panet
from tomarium.standards.access_rights import EMBARGO_END, SEMANTICS
from tomarium.standards.identifiers import DOI
from tomarium.standards.licences import read_licence

PREFIXES: Final = ("oai_datacite", "datacite", "oai_dc")
"""Formats that are read, the one that tells most first."""
_ACCESS: Final = {
    "openAccess": "open",
    "embargoedAccess": "embargoed",
    "closedAccess": "closed",
    "restrictedAccess": "closed",
}
_MADE: Final = ("Collected", "Created", "Issued", "Submitted", "Available")
"""Dates of DataCite that tell best when the data were made, the best first."""
_BYTES: Final = re.compile(r"(\d{1,18}) bytes", re.ASCII)


def read_item(record: Element) -> Item:
    """Read one element `record`.

    Parameters
    ----------
    record : Element
        Of an answer.

    Returns
    -------
    Item
        What it tells; one that was deleted is told as such.

    Raises
    ------
    FormatError
        It has no identifier, or its metadata are of a form that is not read here.
    """
    header = record.find(f"{OAI}header")
    identifier = _line(header.findtext(f"{OAI}identifier")) if header is not None else ""
    if header is None or not identifier:
        raise FormatError("a record has no identifier in its header")
    changed = _line(header.findtext(f"{OAI}datestamp"))
    if header.get("status") == "deleted":
        return Item(identifier, changed=changed, deleted=True)
    metadata = record.find(f"{OAI}metadata")
    root = next(iter(metadata), None) if metadata is not None else None
    if root is None:
        raise FormatError(f"{identifier[:120]}: has no metadata, and is not told to be deleted")
    sets = [_line(element.text) for element in header.iter(f"{OAI}setSpec")]
    fields = _read_metadata(root, identifier)
    kinds = {kind: value for kind, value in map(read_set_name, sets) if kind in ("instrument", "facility")}
    content = {"metadata": tostring(root, encoding="unicode"), "sets": sets}
    return Item(identifier, changed=changed, content=content, **{**kinds, **fields})


def _read_metadata(root: Element, identifier: str) -> dict[str, Any]:
    resource = (
        root if _name(root) == "resource" else next((e for e in root.iter() if _name(e) == "resource"), None)
    )
    if resource is not None and "datacite.org/schema/kernel" in resource.tag:
        return _read_datacite(resource)
    if _name(root) == "dc" or any(child.tag.startswith("{http://purl.org/dc/") for child in root):
        return _read_dublin_core(root)
    raise FormatError(
        f"{identifier[:120]}: its metadata are a {root.tag[:100]!r}; DataCite and Dublin Core are read"
    )


def _read_datacite(root: Element) -> dict[str, Any]:
    elements: dict[str, list[Element]] = {}
    for element in root.iter():
        elements.setdefault(_name(element), []).append(element)
    identifier = next(iter(elements.get("identifier", [])), None)
    name = _line(identifier.text) if identifier is not None else ""
    doi = DOI.fullmatch(name)
    dates: dict[str, str] = {}
    for element in elements.get("date", []):
        dates.setdefault(element.get("dateType", ""), _line(element.text))
    year = _line(next((element.text for element in elements.get("publicationYear", [])), ""))
    abstracts = [
        element
        for element in elements.get("description", [])
        if element.get("descriptionType", "Abstract") == "Abstract"
    ]
    rights = [
        (element.get("rightsURI", ""), element.get("rightsIdentifier", ""), _line(element.text))
        for element in elements.get("rights", [])
    ]
    pages = [
        _line(element.text)
        for element in elements.get("alternateIdentifier", [])
        if element.get("alternateIdentifierType") == "URL"
    ]
    sizes = [
        int(size[1])
        for element in elements.get("size", [])
        if (size := _BYTES.fullmatch(_line(element.text)))
    ]
    subjects = [(_line(element.text), element.get("valueURI", "")) for element in elements.get("subject", [])]
    access = _access(word for right in rights for word in right)
    return {
        "title": _first(elements.get("title", ())),
        "description": "\n".join(filter(None, map(_text, abstracts))),
        "creators": tuple(filter(None, (_line(element.text) for element in elements.get("creatorName", [])))),
        "created": _readable([dates.get(kind, "").partition("/")[0] for kind in _MADE] + [year]),
        **_split_subjects(subjects),
        "licence": _licence(word for right in rights for word in (right[1], right[0], right[2])),
        "doi": doi[1] if doi else "",
        "address": next(filter(_is_web, [*pages, name]), "") or (f"https://doi.org/{doi[1]}" if doi else ""),
        "bytes": sizes[0] if sizes else 0,
        "access": access,
        "opens": dates.get("Available", "")[:10] if access == "embargoed" else "",
    }


def _read_dublin_core(root: Element) -> dict[str, Any]:
    texts: dict[str, list[str]] = {}
    for element in root:
        texts.setdefault(_name(element), []).append(_text(element))
    dates = [text for text in texts.get("date", []) if not text.startswith(EMBARGO_END)]
    ends = [text.removeprefix(EMBARGO_END) for text in texts.get("date", []) if text.startswith(EMBARGO_END)]
    names = [_line(text) for text in texts.get("identifier", [])]
    dois = [match[1] for text in names if (match := DOI.fullmatch(text))]
    access = _access(texts.get("rights", []))
    pages = [text for text in names if _is_web(text)]
    no_dois = [text for text in pages if not DOI.fullmatch(text)]
    return {
        "title": next((_line(text) for text in texts.get("title", []) if text), ""),
        "description": "\n".join(texts.get("description", [])),
        "creators": tuple(dict.fromkeys(_line(text) for text in texts.get("creator", []) if text)),
        "created": _readable(dates),
        **_split_subjects([(_line(text), _line(text)) for text in texts.get("subject", [])]),
        "licence": _licence(texts.get("rights", [])),
        "doi": dois[0] if dois else "",
        "address": next(iter([*no_dois, *pages]), "") or (f"https://doi.org/{dois[0]}" if dois else ""),
        "access": access,
        "opens": ends[0][:10] if ends and access == "embargoed" else "",
    }


def _split_subjects(subjects: Sequence[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    """Part techniques of PaNET from other words; what stands for a technique's address is no word."""
    techniques = [
        address.removeprefix(panet.ADDRESS) for _, address in subjects if address.startswith(panet.ADDRESS)
    ]
    labels = {panet.label_of(technique) for technique in techniques}
    words = [
        word for word, _ in subjects if word and word not in labels and not word.startswith(panet.ADDRESS)
    ]
    return {"techniques": tuple(dict.fromkeys(techniques)), "keywords": tuple(dict.fromkeys(words))}


def _access(words: Iterable[str]) -> str:
    terms = (word.partition(SEMANTICS)[2] for word in words)
    return next((_ACCESS[term] for term in terms if term in _ACCESS), "")


def _licence(words: Iterable[str]) -> str:
    """Read the first licence that is known, else the first text that tells rights and no access."""
    unknown = []
    for word in words:
        if not (line := _line(word)) or SEMANTICS in line:
            continue
        with suppress(ParameterError):
            return read_licence(line)
        unknown.append(line)
    return next((text for text in unknown if not text.lower().endswith(" access")), "")


def _readable(dates: Sequence[str]) -> str:
    return next((date for date in dates if date and read_moment(date) is not None), "")


def _first(elements: Iterable[Element]) -> str:
    return next((line for element in elements if (line := _line(element.text))), "")


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: Element) -> str:
    return "".join(element.itertext()).strip()


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _is_web(text: str) -> bool:
    return text.startswith(("https://", "http://"))
