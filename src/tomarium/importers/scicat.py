"""SciCat: JSON of its collections, as its API or mongoexport gives them: one file, or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from tomarium.catalogue.filing import id_words
from tomarium.catalogue.quantity import parameter_of
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.importers.found import DraftEntity, DraftFile, DraftRecord, Found, Notes, Source, sources_first
from tomarium.importers.people import person_of
from tomarium.model import Person, Related, Value
from tomarium.model.person import write_person
from tomarium.model.publication import RELATIONS, Relation
from tomarium.standards import identifiers, panet
from tomarium.standards.licences import is_identifier, read_licence

_SERVER: Final = frozenset({
    "_id", "id", "__v", "pid", "createdAt", "updatedAt", "createdBy", "updatedBy", "history", "datasetlifecycle",
    "version", "classification", "isPublished", "packedSize", "numberOfFiles", "numberOfFilesArchived", "size",
    "instrumentGroup", "ownerGroup", "accessGroups", "sharedWith", "sourceFolderHost", "validationStatus",
    "scientificMetadataValid", "scientificMetadataSchema", "isOnCentralDisk", "datablocks", "attachments",
})  # fmt: skip
"""What SciCat keeps for itself; it stands in the original metadata."""
_DATASET: Final = _SERVER | {
    "datasetName", "description", "type", "owner", "ownerEmail", "orcidOfOwner", "contactEmail", "sourceFolder",
    "creationTime", "keywords", "license", "techniques", "principalInvestigator", "principalInvestigators",
    "investigator", "scientificMetadata", "sampleId", "sampleIds", "instrumentId", "instrumentIds", "proposalId",
    "proposalIds", "inputDatasets", "usedSoftware", "startTime", "endTime", "dataFormat", "creationLocation",
    "comment", "runNumber", "origdatablocks", "relationships", "jobParameters", "jobLogData",
}  # fmt: skip
_PUBLISHED: Final = _SERVER | {
    "doi", "creator", "authors", "affiliation", "publisher", "publicationYear", "title", "url", "abstract",
    "dataDescription", "resourceType", "sizeOfArchive", "pidArray", "datasetPids", "registeredTime", "status",
    "scicatUser", "thumbnail", "relatedPublications", "downloadLink", "metadata", "contributors",
}  # fmt: skip
_PEOPLE: Final = ("principalInvestigators", "principalInvestigator", "investigator", "owner")
_QUANTITY: Final = frozenset(
    {"value", "unit", "valueSI", "unitSI", "type", "human_name", "ontology_reference"}
)
_MOST_PARAMETERS: Final = 2000


@dataclass
class _Collections:
    """The objects of SciCat by their kinds, in the order of the files."""

    datasets: list[dict[str, Any]] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    proposals: list[dict[str, Any]] = field(default_factory=list)
    instruments: list[dict[str, Any]] = field(default_factory=list)


def read(path: Path) -> Found:
    """Read JSON of SciCat.

    Parameters
    ----------
    path : Path
        A file: one object, a list, or one object a line; or a folder of such files, one a collection.

    Returns
    -------
    Found
        Datasets as records; published data as collections, from which the datasets have creators, text and DOI;
        samples, proposals and instruments, those that are only named too.
    """
    from tomarium.importers.read_text import objects_in, read_json

    notes, all_of = Notes(), _Collections()
    files = sorted(file for file in path.glob("*.json*") if file.is_file()) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: holds no JSON; give Dataset.json, or the folder that mongoexport filled")
    for file in files:
        for number, document in enumerate(objects_in(read_json(file)), 1):
            _sort_in(_plain(document), all_of, notes, f"{file.name}: object {number}")
    if not (all_of.datasets or all_of.published or all_of.samples or all_of.proposals):
        raise FormatError(f"{path}: holds no dataset, published data, sample or proposal of SciCat")
    reading = _Reading(all_of, path.name, notes)
    records = [reading.record(dataset) for dataset in all_of.datasets]
    return Found(tuple(reading.entities(records)), sources_first(records), notes)


def _sort_in(document: dict[str, Any], all_of: _Collections, notes: Notes, where: str) -> None:
    """Tell by its fields which collection an object is of."""
    if "dataFileList" in document:
        all_of.blocks.append(document)
    elif {"pidArray", "datasetPids"} & document.keys() or "publicationYear" in document:
        all_of.published.append(document)
    elif {"datasetName", "sourceFolder", "creationTime"} & document.keys() and "type" in document:
        all_of.datasets.append(document)
    elif "sampleCharacteristics" in document or ("sampleId" in document and "proposalId" not in document):
        all_of.samples.append(document)
    elif "proposalId" in document:
        all_of.proposals.append(document)
    elif {"uniqueName", "customMetadata"} & document.keys():
        all_of.instruments.append(document)
    else:
        notes.problems.append(
            f"{where} is none of a known collection: it has {', '.join(sorted(document)[:6])}"
        )


def _plain(content: Any) -> Any:
    """Turn MongoDB's extended JSON into plain JSON."""
    if isinstance(content, Mapping):
        if len(content) == 1:
            ((key, value),) = content.items()
            if key in ("$date", "$oid", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal"):
                return _number(key, _plain(value))
        return {str(key): _plain(value) for key, value in content.items()}
    return [_plain(item) for item in content] if isinstance(content, list) else content


def _number(key: str, value: Any) -> Any:
    try:
        if key in ("$numberLong", "$numberInt"):
            return int(value)
        if key in ("$numberDouble", "$numberDecimal"):
            return float(value)
        if key == "$date" and isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    except (TypeError, ValueError, OverflowError):
        return value
    return value


def _key(document: Mapping[str, Any], *also: str) -> str:
    return next((str(document[name]) for name in (*also, "pid", "_id", "id") if document.get(name)), "")


@dataclass(frozen=True)
class _Reading:
    """The collections that are read, their name, and what is not understood."""

    all_of: _Collections
    where: str
    notes: Notes

    def record(self, dataset: dict[str, Any]) -> DraftRecord:
        """Read a dataset."""
        pid = _key(dataset)
        self._note_unknown("Dataset", dataset, _DATASET)
        in_them = [
            published
            for published in self.all_of.published
            if pid in _texts(published, "datasetPids", "pidArray")
        ]
        creators = [person for published in in_them for person in self._creators(published)]
        texts = [
            str(dataset.get("description") or ""),
            *(str(published.get("abstract") or "") for published in in_them),
        ]
        name = str(dataset.get("datasetName") or "").strip() or pid
        title = next((str(published["title"]) for published in in_them if published.get("title")), "")
        return DraftRecord(
            key=pid,
            title=f"{title}: {name}" if title else name,
            created=self._moment(dataset, "creationTime"),
            description=next((text for text in texts if text.strip()), ""),
            creators=tuple(dict.fromkeys(creators)) or self._investigators(dataset),
            keywords=tuple(
                dict.fromkeys([*map(str, dataset.get("keywords") or ()), *_texts(dataset, "type")])
            ),
            licence=self._licence(dataset),
            techniques=self._techniques(dataset),
            related=self._related(dataset, in_them),
            parameters=self._parameters(dataset),
            specimen=next(iter(_texts(dataset, "sampleIds", "sampleId")), ""),
            proposal=next(iter(_texts(dataset, "proposalIds", "proposalId")), ""),
            instrument=next(iter(_texts(dataset, "instrumentIds", "instrumentId")), ""),
            derived_from=tuple(_texts(dataset, "inputDatasets")),
            files=tuple(self._files(dataset, pid)),
            original=dataset,
            is_open=bool(dataset.get("isPublished")),
            opens=self._open_from(dataset),
            team=str(dataset.get("ownerGroup") or ""),
        )

    def entities(self, records: list[DraftRecord]) -> Iterator[DraftEntity]:
        """Read what records are of, also where it is only named."""
        for instrument in self.all_of.instruments:
            facts = {"description": str(instrument.get("description") or ""), "pid": _key(instrument)}
            yield DraftEntity(
                "instrument",
                _key(instrument),
                str(instrument.get("name") or _key(instrument)),
                _without_empty(facts),
            )
        for sample in self.all_of.samples:
            yield self._sample(sample)
        for proposal in self.all_of.proposals:
            yield self._proposal(proposal)
        keys_by_kind = {
            "instrument": {_key(instrument) for instrument in self.all_of.instruments},
            "specimen": {_key(sample, "sampleId") for sample in self.all_of.samples},
            "proposal": {_key(proposal, "proposalId") for proposal in self.all_of.proposals},
        }
        for kind, keys in keys_by_kind.items():
            named_keys = dict.fromkeys(getattr(record, kind) for record in records)
            for key in sorted(named_keys.keys() - keys - {""}):
                facts = {"number": key} if kind == "proposal" else {}
                yield DraftEntity(kind, key, key, facts, id=id_words(key) if kind == "proposal" else "")
        for published in self.all_of.published:
            yield self._publication(published)

    def _sample(self, sample: dict[str, Any]) -> DraftEntity:
        lines = [
            f"{name}: {value} {unit}".strip()
            for name, value, unit in _leaves(sample.get("sampleCharacteristics") or {})
        ]
        name = str(sample.get("description") or _key(sample, "sampleId"))
        return DraftEntity(
            "specimen",
            _key(sample, "sampleId"),
            name[:200],
            _without_empty({"description": "\n".join(lines)}),
        )

    def _proposal(self, proposal: dict[str, Any]) -> DraftEntity:
        number = _key(proposal, "proposalId")
        names = [("pi_lastname", "pi_firstname"), ("lastname", "firstname")]
        team = [
            person_of(f"{proposal[last]}, {proposal.get(first) or ''}".strip(", "), "", "", "", self.notes)
            for last, first in names
            if proposal.get(last)
        ]
        facts = {
            "description": str(proposal.get("abstract") or ""),
            "number": number,
            "team": "\n".join(dict.fromkeys(write_person(person) for person in team if person)),
            "start": str(proposal.get("startTime") or "")[:10],
            "end": str(proposal.get("endTime") or "")[:10],
            "email": str(proposal.get("email") or ""),
        }
        return DraftEntity(
            "proposal",
            number,
            str(proposal.get("title") or number),
            _without_empty(facts),
            id=id_words(number),
        )

    def _publication(self, published: dict[str, Any]) -> DraftEntity:
        self._note_unknown("PublishedData", published, _PUBLISHED)
        members = tuple(("record", pid) for pid in _texts(published, "datasetPids", "pidArray"))
        dataset_pids = {_key(dataset) for dataset in self.all_of.datasets}
        absent = [pid for _, pid in members if pid not in dataset_pids]
        if absent:
            self.notes.problems.append(
                f"PublishedData {_key(published, 'doi')}: names {', '.join(absent[:3])}, "
                f"which is not among the datasets"
            )
        facts = {
            "description": str(published.get("abstract") or published.get("dataDescription") or ""),
            "curators": "\n".join(write_person(creator) for creator in self._creators(published)),
        }
        name = " ".join(str(published.get("title") or _key(published, "doi")).split())
        return DraftEntity("collection", _key(published, "doi"), name, _without_empty(facts), members)

    def _creators(self, published: Mapping[str, Any]) -> list[Person]:
        """Read the creators of published data, of version 4 and of those before."""
        inner = published.get("metadata")
        metadata: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {}
        people = []
        for creator in (
            _as_list(metadata.get("creators"))
            or _as_list(published.get("creator"))
            or _as_list(published.get("authors"))
        ):
            if isinstance(creator, Mapping):
                ids = [
                    str(identifier.get("nameIdentifier", ""))
                    for identifier in _as_list(creator.get("nameIdentifiers"))
                ]
                places = [
                    affiliation.get("name", affiliation) if isinstance(affiliation, Mapping) else affiliation
                    for affiliation in _as_list(creator.get("affiliation"))
                ]
                people.append(
                    person_of(
                        str(creator.get("name") or ""),
                        next(iter(ids), ""),
                        str(next(iter(places), "")),
                        "",
                        self.notes,
                    )
                )
            elif str(creator).strip().lower() in ("al.", "et al.", "et al"):
                self.notes.problems.append(
                    f"PublishedData {_key(published, 'doi')}: names its other creators as {creator!r} alone; add them"
                )
            else:
                people.append(person_of(str(creator), "", "", "", self.notes))
        return [person for person in people if person]

    def _investigators(self, dataset: Mapping[str, Any]) -> tuple[Person, ...]:
        for name in _PEOPLE:
            names = [text for owners in _texts(dataset, name) for text in owners.split(";")]
            orcid = str(dataset.get("orcidOfOwner") or "") if names == _texts(dataset, "owner") else ""
            people = [person_of(name, orcid, "", "", self.notes) for name in names]
            if persons := tuple(person for person in people if person):
                return persons
        return ()

    def _licence(self, dataset: Mapping[str, Any]) -> str:
        text = str(dataset.get("license") or "").strip()
        if not text:
            return ""
        try:
            return read_licence(text)
        except ParameterError:
            self.notes.unknown[f"license {text[:60]!r}"] += 1
            return text if is_identifier(text) else ""

    def _techniques(self, dataset: Mapping[str, Any]) -> tuple[str, ...]:
        terms = []
        for technique in _as_list(dataset.get("techniques")):
            pid = str(technique.get("pid", "")) if isinstance(technique, Mapping) else str(technique)
            match = re.search(r"PaNET\d{5}", pid)
            if match and match[0] in panet.terms():
                terms.append(match[0])
            else:
                self.notes.unknown[f"technique {pid[-40:]}, no imaging technique of PaNET"] += 1
        return tuple(dict.fromkeys(terms))

    def _related(self, dataset: Mapping[str, Any], in_them: list[dict[str, Any]]) -> tuple[Related, ...]:
        pairs: list[tuple[str, str]] = [("IsPartOf", _key(published, "doi")) for published in in_them]
        for published in in_them:
            pairs += [
                ("IsDescribedBy", doi.rstrip(".,;)"))
                for text in _as_list(published.get("relatedPublications"))
                for doi in re.findall(r"10\.\d{4,9}/[^\s\"<>]+", str(text))
            ]
        for relationship in _as_list(dataset.get("relationships")):
            if isinstance(relationship, Mapping) and relationship.get("relationship") in RELATIONS:
                pairs.append((str(relationship["relationship"]), str(relationship.get("pid") or "")))
        related = []
        for relation, text in pairs:
            identifier, kind = identifiers.classify(text)
            if kind:
                related.append(Related(cast(Relation, relation), identifier))
            elif text:
                self.notes.unknown[f"{text[:60]}, no DOI or address"] += 1
        return tuple(dict.fromkeys(related))

    def _parameters(self, dataset: Mapping[str, Any]) -> dict[str, Value[Any]]:
        parameters: dict[str, Value[Any]] = {}
        where = f"{self.where}: {_key(dataset)}"
        plain = {
            "start_time": "startTime", "end_time": "endTime", "format": "dataFormat",
            "facility_place": "creationLocation", "run_number": "runNumber", "remark": "comment",
        }  # fmt: skip
        for key, name in plain.items():
            if dataset.get(name):
                parameters[key] = Value(dataset[name], "read", f"{where}: {name}")
        if software := _texts(dataset, "usedSoftware"):
            parameters["software"] = Value(", ".join(software), "read", f"{where}: usedSoftware")
        leaves = list(_leaves(dataset.get("scientificMetadata") or {}))
        if len(leaves) > _MOST_PARAMETERS:
            self.notes.problems.append(
                f"{_key(dataset)}: has {len(leaves)} values of scientificMetadata; the first {_MOST_PARAMETERS} became "
                f"parameters, all stand in the original metadata"
            )
        for name, value, unit in leaves[:_MOST_PARAMETERS]:
            if isinstance(value, str | int | float | bool):
                key, parameter = parameter_of(name, value, unit, where)
                parameters.setdefault(key, parameter)
            elif value is not None:
                self.notes.unknown[f"scientificMetadata.{name} (a list)"] += 1
        return parameters

    def _files(self, dataset: Mapping[str, Any], pid: str) -> Iterator[DraftFile]:
        folder = str(dataset.get("sourceFolder") or "")
        inside = [block for block in _as_list(dataset.get("origdatablocks")) if isinstance(block, Mapping)]
        for block in [
            *(block for block in self.all_of.blocks if str(block.get("datasetId")) == pid),
            *inside,
        ]:
            for entry in _as_list(block.get("dataFileList")):
                path = str(entry.get("path") or "") if isinstance(entry, Mapping) else str(entry)
                if not path:
                    continue
                size = entry.get("size") if isinstance(entry, Mapping) else None
                checksum = str(entry.get("chk") or "") if isinstance(entry, Mapping) else ""
                name = "/".join(
                    part for part in re.split(r"[\\/]+", path.removeprefix(folder)) if part not in ("", ".")
                )
                yield DraftFile(
                    name if ".." not in name.split("/") else name.rpartition("/")[2] or "file",
                    (path,) if path.startswith("/") else (f"{folder.rstrip('/')}/{path}", path),
                    size if isinstance(size, int) else None,
                    checksum,
                )

    def _open_from(self, dataset: Mapping[str, Any]) -> datetime | None:
        cycle = dataset.get("datasetlifecycle")
        return self._moment(cycle, "dateOfPublishing") if isinstance(cycle, Mapping) else None

    def _moment(self, dataset: Mapping[str, Any], name: str) -> datetime | None:
        text = dataset.get(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            self.notes.problems.append(f"{_key(dataset)}: {name} {str(text)[:40]!r} is no moment of ISO 8601")
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _note_unknown(self, kind: str, document: Mapping[str, Any], known_names: frozenset[str]) -> None:
        for name in document.keys() - known_names:
            self.notes.unknown[f"{kind}.{name}"] += 1


def _leaves(metadata: Any, above: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield name, value and unit of nested metadata; a value with a unit is an object of both."""
    for name, value in metadata.items() if isinstance(metadata, Mapping) else ():
        path = f"{above} {name}".strip()
        if isinstance(value, Mapping) and "value" in value and value.keys() <= _QUANTITY:
            yield path, value["value"], str(value.get("unit") or "")
        elif isinstance(value, Mapping):
            yield from _leaves(value, path)
        else:
            yield path, value, ""


def _texts(document: Mapping[str, Any], *names: str) -> list[str]:
    """Return the texts under the first of these names that is told, one or several."""
    for name in names:
        texts = [str(item).strip() for item in _as_list(document.get(name)) if not isinstance(item, Mapping)]
        if texts := [text for text in texts if text]:
            return texts
    return []


def _as_list(value: Any) -> list[Any]:
    return [] if value is None or value == "" else value if isinstance(value, list) else [value]


def _without_empty(facts: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in facts.items() if text.strip()}


SCICAT = Source("scicat", "JSON of SciCat: of its API, one object a line, or of mongoexport", read)
