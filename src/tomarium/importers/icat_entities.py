"""The objects of an ICAT, flat and by type, from each spelling of python-icat: XML and YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

from tomarium.errors import FormatError
from tomarium.importers.found import Notes
from tomarium.importers.icat_example import as_dump
from tomarium.importers.read_text import read_xml, read_yaml

# (type, its list) → (type of what is in the list, that one's name for the first).
EMBEDDED: Final = {
    ("grouping", "userGroups"): ("userGroup", "grouping"),
    ("user", "userGroups"): ("userGroup", "user"),
    ("facility", "investigations"): ("investigation", "facility"),
    ("instrument", "instrumentScientists"): ("instrumentScientist", "instrument"),
    ("parameterType", "permissibleStringValues"): ("permissibleStringValue", "type"),
    ("investigation", "investigationUsers"): ("investigationUser", "investigation"),
    ("investigation", "investigationInstruments"): ("investigationInstrument", "investigation"),
    ("investigation", "investigationGroups"): ("investigationGroup", "investigation"),
    ("investigation", "investigationFacilityCycles"): ("investigationFacilityCycle", "investigation"),
    ("investigation", "keywords"): ("keyword", "investigation"),
    ("investigation", "parameters"): ("investigationParameter", "investigation"),
    ("investigation", "publications"): ("publication", "investigation"),
    ("investigation", "shifts"): ("shift", "investigation"),
    ("investigation", "fundingReferences"): ("investigationFunding", "investigation"),
    ("investigation", "samples"): ("sample", "investigation"),
    ("investigation", "datasets"): ("dataset", "investigation"),
    ("sample", "parameters"): ("sampleParameter", "sample"),
    ("dataset", "parameters"): ("datasetParameter", "dataset"),
    ("dataset", "datafiles"): ("datafile", "dataset"),
    ("dataset", "datasetInstruments"): ("datasetInstrument", "dataset"),
    ("dataset", "datasetTechniques"): ("datasetTechnique", "dataset"),
    ("datafile", "parameters"): ("datafileParameter", "datafile"),
    ("study", "studyInvestigations"): ("studyInvestigation", "study"),
    ("dataCollection", "dataCollectionDatafiles"): ("dataCollectionDatafile", "dataCollection"),
    ("dataCollection", "dataCollectionDatasets"): ("dataCollectionDataset", "dataCollection"),
    ("dataCollection", "dataCollectionInvestigations"): ("dataCollectionInvestigation", "dataCollection"),
    ("dataCollection", "parameters"): ("dataCollectionParameter", "dataCollection"),
    ("dataPublication", "users"): ("dataPublicationUser", "publication"),
    ("dataPublication", "dates"): ("dataPublicationDate", "publication"),
    ("dataPublication", "relatedItems"): ("relatedItem", "publication"),
    ("dataPublication", "fundingReferences"): ("dataPublicationFunding", "publication"),
    ("dataPublicationUser", "affiliations"): ("affiliation", "user"),
}


@dataclass(frozen=True)
class Reference:
    """That an object names another: by its key, or by what that one says of itself.

    Attributes
    ----------
    key : str
        Its key; "" where it is named otherwise.
    attributes : Mapping of str to str
        Its attributes, such as name and pid.
    """

    key: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class IcatEntity:
    """An entity of an ICAT.

    Attributes
    ----------
    type : str
        "dataset", "investigation" …
    key : str
        Its key in the file.
    attributes : dict
        Name → text, number, or `Reference`.
    """

    type: str
    key: str
    attributes: dict[str, Any]

    def text(self, *names: str) -> str:
        """Return the first of these attributes that is told, as a text; "" where none is."""
        for name in names:
            value = self.attributes.get(name)
            if value is not None and not isinstance(value, Reference) and str(value).strip():
                return str(value).strip()
        return ""


class Icat:
    """All objects of a file, by type and key."""

    def __init__(self) -> None:
        self.entities: dict[str, dict[str, IcatEntity]] = {}
        self._back: dict[tuple[str, str, str], list[IcatEntity]] = {}

    def add(self, entity: IcatEntity) -> None:
        """Add an object."""
        self.entities.setdefault(entity.type, {})[entity.key] = entity

    def all(self, type: str) -> list[IcatEntity]:
        """Return the objects of a type, in the order of the file."""
        return list(self.entities.get(type, {}).values())

    def named(self, entity: IcatEntity, name: str, type: str = "") -> IcatEntity | None:
        """Return the object that another one names; None where it is not in the file, or none is named."""
        value = entity.attributes.get(name)
        among = self.entities.get(type or name, {})
        if value is None or isinstance(value, list | dict):
            return None
        if not isinstance(value, Reference):
            return among.get(str(value))
        if value.key:
            return among.get(value.key)
        return next(
            (
                candidate
                for candidate in among.values()
                if all(candidate.text(k) == v for k, v in value.attributes.items())
            ),
            None,
        )

    def of(self, entity: IcatEntity, type: str, name: str = "") -> list[IcatEntity]:
        """Return the objects of a type that name this one, by its type or another name."""
        back = name or entity.type
        if (type, back, "") not in self._back:
            self._back[type, back, ""] = []
            for candidate in self.all(type):
                above = self.named(candidate, back, entity.type)
                if above is not None:
                    self._back.setdefault((type, back, above.key), []).append(candidate)
        return self._back.get((type, back, entity.key), [])


def read_icat(path: Path, notes: Notes) -> Icat:
    """Read a file of python-icat.

    Parameters
    ----------
    path : Path
        What `icatdump` wrote (XML or YAML), what is ingested as `metadata.xml`, or python-icat's example of a
        facility's content.
    notes : Notes
        Told of references that lead nowhere.

    Returns
    -------
    Icat
        Its objects.

    Raises
    ------
    FormatError
        It is none of these.
    """
    icat = Icat()
    with path.open("rb") as file:
        start = file.read(200).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        _from_xml(path, icat)
    else:
        _from_yaml(path, icat)
    if not any(icat.entities.values()):
        raise FormatError(f"{path}: holds no object of an ICAT; give what icatdump wrote, as XML or YAML")
    _name_lost(icat, notes)
    return icat


def _from_xml(path: Path, icat: Icat) -> None:
    root = read_xml(path)
    if root.tag not in ("icatdata", "icatingest"):
        raise FormatError(
            f"{path}: begins with <{root.tag}>, but a file of python-icat begins with <icatdata> or <icatingest>"
        )
    count = 0
    for data in root.iter("data"):
        for element in data:
            count += 1
            key = element.get("id") or f"{element.tag}_{count}"
            _flatten(icat, element.tag, key, _read_element(element))


def _read_element(element: Element) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for child in element:
        if "ref" in child.attrib:
            value: Any = Reference(child.attrib["ref"])
        elif len(child):
            value = [_read_element(child)]
        elif child.attrib:
            value = Reference("", dict(child.attrib))
        else:
            value = (child.text or "").strip()
        if isinstance(value, list) and isinstance(attributes.get(child.tag), list):
            attributes[child.tag] += value
        else:
            attributes[child.tag] = value
    return attributes


def _from_yaml(path: Path, icat: Icat) -> None:
    for document in read_yaml(path):
        if not isinstance(document, Mapping):
            raise FormatError(
                f"{path}: holds no objects by their types, such as investigation:, as icatdump writes them"
            )
        for type, entities in as_dump(document).items():
            if not isinstance(entities, Mapping):
                raise FormatError(f"{path}: {type}: objects by their keys were expected")
            for key, entity in entities.items():
                if not isinstance(entity, Mapping):
                    raise FormatError(f"{path}: {type} {str(key)[:60]}: attributes and values were expected")
                _flatten(icat, str(type), str(key), {str(name): value for name, value in entity.items()})


def _flatten(icat: Icat, type: str, key: str, attributes: Mapping[str, Any]) -> None:
    """Add an object, and those in its lists as objects of their own."""
    own = {name: value for name, value in attributes.items() if (type, name) not in EMBEDDED}
    icat.add(IcatEntity(type, key, own))
    for name, value in attributes.items():
        if (type, name) not in EMBEDDED:
            continue
        child, back = EMBEDDED[type, name]
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(item for item in items if isinstance(item, Mapping)):
            _flatten(icat, child, f"{key}/{name}/{number}", {**item, back: Reference(key)})


def _name_lost(icat: Icat, notes: Notes) -> None:
    """Name references to objects that are not in the file."""
    for entity in _all_entities(icat):
        for name, value in entity.attributes.items():
            if not isinstance(value, Reference) or not value.key:
                continue
            if not any(value.key in among for among in icat.entities.values()):
                notes.problems.append(
                    f"{entity.type} {entity.text('name') or entity.key}: names {name} {value.key}, "
                    "which is not in the file"
                )


def _all_entities(icat: Icat) -> Iterator[IcatEntity]:
    for among in icat.entities.values():
        yield from among.values()
