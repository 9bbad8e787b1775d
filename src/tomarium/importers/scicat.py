"""SciCat: JSON of its collections, as its API or mongoexport gives them: one file, or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from tomarium.catalogue.filing import id_words
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.importers.found import DraftEntity, DraftFile, DraftRecord, Found, Notes, Source, sources_first
from tomarium.importers.people import person_of
from tomarium.importers.quantity import parameter_of
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
    files = sorted(one for one in path.glob("*.json*") if one.is_file()) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: holds no JSON; give Dataset.json, or the folder that mongoexport filled")
    for file in files:
        for number, one in enumerate(objects_in(read_json(file)), 1):
            _sort(_plain(one), all_of, notes, f"{file.name}: object {number}")
    if not (all_of.datasets or all_of.published or all_of.samples or all_of.proposals):
        raise FormatError(f"{path}: holds no dataset, published data, sample or proposal of SciCat")
    reading = _Reading(all_of, path.name, notes)
    records = [reading.record(dataset) for dataset in all_of.datasets]
    return Found(tuple(reading.entities(records)), sources_first(records), notes)


def _sort(told: dict[str, Any], all_of: _Collections, notes: Notes, where: str) -> None:
    """Tell by its fields which collection an object is of."""
    if "dataFileList" in told:
        all_of.blocks.append(told)
    elif {"pidArray", "datasetPids"} & told.keys() or "publicationYear" in told:
        all_of.published.append(told)
    elif {"datasetName", "sourceFolder", "creationTime"} & told.keys() and "type" in told:
        all_of.datasets.append(told)
    elif "sampleCharacteristics" in told or ("sampleId" in told and "proposalId" not in told):
        all_of.samples.append(told)
    elif "proposalId" in told:
        all_of.proposals.append(told)
    elif {"uniqueName", "customMetadata"} & told.keys():
        all_of.instruments.append(told)
    else:
        notes.problems.append(f"{where} is none of a known collection: it has {', '.join(sorted(told)[:6])}")


def _plain(told: Any) -> Any:
    """Turn MongoDB's extended JSON into plain JSON."""
    if isinstance(told, Mapping):
        if len(told) == 1:
            ((key, value),) = told.items()
            if key in ("$date", "$oid", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal"):
                return _number(key, _plain(value))
        return {str(key): _plain(value) for key, value in told.items()}
    return [_plain(one) for one in told] if isinstance(told, list) else told


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


def _key(told: Mapping[str, Any], *also: str) -> str:
    return next((str(told[name]) for name in (*also, "pid", "_id", "id") if told.get(name)), "")


@dataclass(frozen=True)
class _Reading:
    """The collections that are read, their name, and what is not understood."""

    all_of: _Collections
    where: str
    notes: Notes

    def record(self, told: dict[str, Any]) -> DraftRecord:
        """Read a dataset."""
        pid = _key(told)
        self._note_unknown("Dataset", told, _DATASET)
        in_them = [one for one in self.all_of.published if pid in _listed(one, "datasetPids", "pidArray")]
        creators = [person for one in in_them for person in self._creators(one)]
        texts = [str(told.get("description") or ""), *(str(one.get("abstract") or "") for one in in_them)]
        name = str(told.get("datasetName") or "").strip() or pid
        title = next((str(one["title"]) for one in in_them if one.get("title")), "")
        return DraftRecord(
            key=pid,
            title=f"{title}: {name}" if title else name,
            created=self._moment(told, "creationTime"),
            description=next((text for text in texts if text.strip()), ""),
            creators=tuple(dict.fromkeys(creators)) or self._investigators(told),
            keywords=tuple(dict.fromkeys([*map(str, told.get("keywords") or ()), *_listed(told, "type")])),
            licence=self._licence(told),
            techniques=self._techniques(told),
            related=self._related(told, in_them),
            parameters=self._parameters(told),
            specimen=next(iter(_listed(told, "sampleIds", "sampleId")), ""),
            proposal=next(iter(_listed(told, "proposalIds", "proposalId")), ""),
            instrument=next(iter(_listed(told, "instrumentIds", "instrumentId")), ""),
            derived_from=tuple(_listed(told, "inputDatasets")),
            files=tuple(self._files(told, pid)),
            original=told,
            is_open=bool(told.get("isPublished")),
            opens=self._opens(told),
            team=str(told.get("ownerGroup") or ""),
        )

    def entities(self, records: list[DraftRecord]) -> Iterator[DraftEntity]:
        """Read what records are of, also where it is only named."""
        for instrument in self.all_of.instruments:
            facts = {"description": str(instrument.get("description") or ""), "pid": _key(instrument)}
            yield DraftEntity(
                "instrument", _key(instrument), str(instrument.get("name") or _key(instrument)), _said(facts)
            )
        for sample in self.all_of.samples:
            yield self._sample(sample)
        for proposal in self.all_of.proposals:
            yield self._proposal(proposal)
        known = {
            "instrument": {_key(instrument) for instrument in self.all_of.instruments},
            "specimen": {_key(sample, "sampleId") for sample in self.all_of.samples},
            "proposal": {_key(proposal, "proposalId") for proposal in self.all_of.proposals},
        }
        for kind, there in known.items():
            named = dict.fromkeys(getattr(record, kind) for record in records)
            for key in sorted(named.keys() - there - {""}):
                facts = {"number": key} if kind == "proposal" else {}
                yield DraftEntity(kind, key, key, facts, id=id_words(key) if kind == "proposal" else "")
        for told in self.all_of.published:
            yield self._publication(told)

    def _sample(self, told: dict[str, Any]) -> DraftEntity:
        said = [
            f"{name}: {value} {unit}".strip()
            for name, value, unit in _leaves(told.get("sampleCharacteristics") or {})
        ]
        name = str(told.get("description") or _key(told, "sampleId"))
        return DraftEntity(
            "specimen", _key(told, "sampleId"), name[:200], _said({"description": "\n".join(said)})
        )

    def _proposal(self, told: dict[str, Any]) -> DraftEntity:
        number = _key(told, "proposalId")
        names = [("pi_lastname", "pi_firstname"), ("lastname", "firstname")]
        team = [
            person_of(f"{told[last]}, {told.get(first) or ''}".strip(", "), "", "", "", self.notes)
            for last, first in names
            if told.get(last)
        ]
        facts = {
            "description": str(told.get("abstract") or ""),
            "number": number,
            "team": "\n".join(dict.fromkeys(write_person(person) for person in team if person)),
            "start": str(told.get("startTime") or "")[:10],
            "end": str(told.get("endTime") or "")[:10],
            "email": str(told.get("email") or ""),
        }
        return DraftEntity(
            "proposal", number, str(told.get("title") or number), _said(facts), id=id_words(number)
        )

    def _publication(self, told: dict[str, Any]) -> DraftEntity:
        self._note_unknown("PublishedData", told, _PUBLISHED)
        members = tuple(("record", pid) for pid in _listed(told, "datasetPids", "pidArray"))
        known = {_key(dataset) for dataset in self.all_of.datasets}
        lost = [pid for _, pid in members if pid not in known]
        if lost:
            self.notes.problems.append(
                f"PublishedData {_key(told, 'doi')}: names {', '.join(lost[:3])}, which is not among the datasets"
            )
        facts = {
            "description": str(told.get("abstract") or told.get("dataDescription") or ""),
            "curators": "\n".join(write_person(creator) for creator in self._creators(told)),
        }
        name = " ".join(str(told.get("title") or _key(told, "doi")).split())
        return DraftEntity("collection", _key(told, "doi"), name, _said(facts), members)

    def _creators(self, told: Mapping[str, Any]) -> list[Person]:
        """Read the creators of published data, of version 4 and of those before."""
        kept = told.get("metadata")
        metadata: Mapping[str, Any] = kept if isinstance(kept, Mapping) else {}
        people = []
        for one in (
            _some(metadata.get("creators")) or _some(told.get("creator")) or _some(told.get("authors"))
        ):
            if isinstance(one, Mapping):
                ids = [str(each.get("nameIdentifier", "")) for each in _some(one.get("nameIdentifiers"))]
                places = [
                    each.get("name", each) if isinstance(each, Mapping) else each
                    for each in _some(one.get("affiliation"))
                ]
                people.append(
                    person_of(
                        str(one.get("name") or ""),
                        next(iter(ids), ""),
                        str(next(iter(places), "")),
                        "",
                        self.notes,
                    )
                )
            elif str(one).strip().lower() in ("al.", "et al.", "et al"):
                self.notes.problems.append(
                    f"PublishedData {_key(told, 'doi')}: names its other creators as {one!r} alone; add them"
                )
            else:
                people.append(person_of(str(one), "", "", "", self.notes))
        return [person for person in people if person]

    def _investigators(self, told: Mapping[str, Any]) -> tuple[Person, ...]:
        for name in _PEOPLE:
            names = [text for one in _listed(told, name) for text in one.split(";")]
            orcid = str(told.get("orcidOfOwner") or "") if names == _listed(told, "owner") else ""
            people = [person_of(name, orcid, "", "", self.notes) for name in names]
            if persons := tuple(person for person in people if person):
                return persons
        return ()

    def _licence(self, told: Mapping[str, Any]) -> str:
        text = str(told.get("license") or "").strip()
        if not text:
            return ""
        try:
            return read_licence(text)
        except ParameterError:
            self.notes.unknown[f"license {text[:60]!r}"] += 1
            return text if is_identifier(text) else ""

    def _techniques(self, told: Mapping[str, Any]) -> tuple[str, ...]:
        found = []
        for one in _some(told.get("techniques")):
            pid = str(one.get("pid", "")) if isinstance(one, Mapping) else str(one)
            match = re.search(r"PaNET\d{5}", pid)
            if match and match[0] in panet.terms():
                found.append(match[0])
            else:
                self.notes.unknown[f"technique {pid[-40:]}, no imaging technique of PaNET"] += 1
        return tuple(dict.fromkeys(found))

    def _related(self, told: Mapping[str, Any], in_them: list[dict[str, Any]]) -> tuple[Related, ...]:
        said: list[tuple[str, str]] = [("IsPartOf", _key(one, "doi")) for one in in_them]
        for one in in_them:
            said += [
                ("IsDescribedBy", doi.rstrip(".,;)"))
                for text in _some(one.get("relatedPublications"))
                for doi in re.findall(r"10\.\d{4,9}/[^\s\"<>]+", str(text))
            ]
        for one in _some(told.get("relationships")):
            if isinstance(one, Mapping) and one.get("relationship") in RELATIONS:
                said.append((str(one["relationship"]), str(one.get("pid") or "")))
        found = []
        for relation, text in said:
            identifier, kind = identifiers.classify(text)
            if kind:
                found.append(Related(cast(Relation, relation), identifier))
            elif text:
                self.notes.unknown[f"{text[:60]}, no DOI or address"] += 1
        return tuple(dict.fromkeys(found))

    def _parameters(self, told: Mapping[str, Any]) -> dict[str, Value[Any]]:
        found: dict[str, Value[Any]] = {}
        where = f"{self.where}: {_key(told)}"
        plain = {
            "start_time": "startTime", "end_time": "endTime", "format": "dataFormat",
            "facility_place": "creationLocation", "run_number": "runNumber", "remark": "comment",
        }  # fmt: skip
        for key, name in plain.items():
            if told.get(name):
                found[key] = Value(told[name], "read", f"{where}: {name}")
        if software := _listed(told, "usedSoftware"):
            found["software"] = Value(", ".join(software), "read", f"{where}: usedSoftware")
        leaves = list(_leaves(told.get("scientificMetadata") or {}))
        if len(leaves) > _MOST_PARAMETERS:
            self.notes.problems.append(
                f"{_key(told)}: has {len(leaves)} values of scientificMetadata; the first {_MOST_PARAMETERS} became "
                f"parameters, all stand in the original metadata"
            )
        for name, value, unit in leaves[:_MOST_PARAMETERS]:
            if isinstance(value, str | int | float | bool):
                key, one = parameter_of(name, value, unit, where)
                found.setdefault(key, one)
            elif value is not None:
                self.notes.unknown[f"scientificMetadata.{name} (a list)"] += 1
        return found

    def _files(self, told: Mapping[str, Any], pid: str) -> Iterator[DraftFile]:
        folder = str(told.get("sourceFolder") or "")
        inside = [one for one in _some(told.get("origdatablocks")) if isinstance(one, Mapping)]
        for block in [
            *(block for block in self.all_of.blocks if str(block.get("datasetId")) == pid),
            *inside,
        ]:
            for one in _some(block.get("dataFileList")):
                path = str(one.get("path") or "") if isinstance(one, Mapping) else str(one)
                if not path:
                    continue
                size = one.get("size") if isinstance(one, Mapping) else None
                checksum = str(one.get("chk") or "") if isinstance(one, Mapping) else ""
                name = "/".join(
                    part for part in re.split(r"[\\/]+", path.removeprefix(folder)) if part not in ("", ".")
                )
                yield DraftFile(
                    name if ".." not in name.split("/") else name.rpartition("/")[2] or "file",
                    (path,) if path.startswith("/") else (f"{folder.rstrip('/')}/{path}", path),
                    size if isinstance(size, int) else None,
                    checksum,
                )

    def _opens(self, told: Mapping[str, Any]) -> datetime | None:
        cycle = told.get("datasetlifecycle")
        return self._moment(cycle, "dateOfPublishing") if isinstance(cycle, Mapping) else None

    def _moment(self, told: Mapping[str, Any], name: str) -> datetime | None:
        text = told.get(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            self.notes.problems.append(f"{_key(told)}: {name} {str(text)[:40]!r} is no moment of ISO 8601")
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _note_unknown(self, kind: str, told: Mapping[str, Any], known: frozenset[str]) -> None:
        for name in told.keys() - known:
            self.notes.unknown[f"{kind}.{name}"] += 1


def _leaves(told: Any, above: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield name, value and unit of nested metadata; a value with a unit is an object of both."""
    for name, value in told.items() if isinstance(told, Mapping) else ():
        path = f"{above} {name}".strip()
        if isinstance(value, Mapping) and "value" in value and value.keys() <= _QUANTITY:
            yield path, value["value"], str(value.get("unit") or "")
        elif isinstance(value, Mapping):
            yield from _leaves(value, path)
        else:
            yield path, value, ""


def _listed(told: Mapping[str, Any], *names: str) -> list[str]:
    """Return the texts under the first of these names that is told, one or several."""
    for name in names:
        found = [str(one).strip() for one in _some(told.get(name)) if not isinstance(one, Mapping)]
        if found := [text for text in found if text]:
            return found
    return []


def _some(told: Any) -> list[Any]:
    return [] if told is None or told == "" else told if isinstance(told, list) else [told]


def _said(facts: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in facts.items() if text.strip()}


SCICAT = Source("scicat", "JSON of SciCat: of its API, one object a line, or of mongoexport", read)
