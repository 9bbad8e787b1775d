"""ICAT: what python-icat's `icatdump` wrote, as XML or YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium.catalogue.filing import id_words
from tomarium.catalogue.quantity import parameter_of
from tomarium.errors import ParameterError
from tomarium.importers.found import DraftEntity, DraftFile, DraftRecord, Found, Notes, Source, sources_first
from tomarium.importers.icat_entities import Icat, IcatEntity, Reference, read_icat
from tomarium.importers.icat_relations import DatasetRelations
from tomarium.importers.icat_types import note_unknown
from tomarium.importers.people import person_of
from tomarium.model import Funding, Person, Related, Value
from tomarium.standards import identifiers, panet

_PANET: Final = re.compile(r"PaNET\d{5}")
_BELOW: Final = ("investigationUser", "shift", "keyword", "datasetTechnique")
_WRITERS: Final = ("writer", "owner")


def read(path: Path) -> Found:
    """Read what python-icat wrote.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    Found
        Investigations as proposals; instruments; samples as specimens; datasets as records, each with its files,
        parameters and people; studies and data publications as collections, publications as documents.
    """
    notes = Notes()
    icat = read_icat(path, notes)
    note_unknown(icat, notes)
    work = _Reading(icat, DatasetRelations(icat), path.name, notes)
    records = [work.record(dataset) for dataset in icat.all("dataset")]
    entities = [
        *(work.instrument(instrument) for instrument in icat.all("instrument")),
        *(work.proposal(investigation) for investigation in icat.all("investigation")),
        *(work.specimen(sample) for sample in icat.all("sample")),
        *(work.study(study) for study in icat.all("study")),
        *(work.publication(publication) for publication in icat.all("dataPublication")),
        *(work.paper(publication) for publication in icat.all("publication")),
    ]
    return Found(tuple(entities), sources_first(records), notes)


@dataclass(frozen=True)
class _Reading:
    """An ICAT that is read: its entities and how datasets are related, the file's name, and what is not understood."""

    icat: Icat
    relations: DatasetRelations
    where: str
    notes: Notes

    def instrument(self, instrument: IcatEntity) -> DraftEntity:
        """Read an instrument."""
        facility = self.icat.named(instrument, "facility")
        facts = {
            "description": " ".join(instrument.text("description").split()),
            "pid": instrument.text("pid"),
            "facility": facility.text("fullName", "name") if facility else "",
        }
        return DraftEntity(
            "instrument",
            instrument.key,
            instrument.text("fullName", "name") or instrument.key,
            _without_empty(facts),
        )

    def proposal(self, investigation: IcatEntity) -> DraftEntity:
        """Read an investigation."""
        facility = self.icat.named(investigation, "facility")
        users = sorted(
            self.icat.of(investigation, "investigationUser"),
            key=lambda user: _is_leader(user.text("role")),
            reverse=True,
        )
        team = [self._person(self.icat.named(user, "user")) for user in users]
        instruments = [
            self.icat.named(link, "instrument")
            for link in self.icat.of(investigation, "investigationInstrument")
        ]
        number = investigation.text("name")
        facts = {
            "description": investigation.text("summary"),
            "number": number,
            "team": "\n".join(dict.fromkeys(_person_text(person) for person in team if person)),
            "start": investigation.text("startDate")[:10],
            "end": investigation.text("endDate")[:10],
            "instrument": ", ".join(
                instrument.text("fullName", "name") for instrument in instruments if instrument
            ),
            "facility": facility.text("fullName", "name") if facility else "",
        }
        id = id_words(number) if number else ""
        return DraftEntity(
            "proposal",
            investigation.key,
            investigation.text("title") or number or investigation.key,
            _without_empty(facts),
            id=id,
        )

    def specimen(self, sample: IcatEntity) -> DraftEntity:
        """Read a sample; its parameters stand in its description."""
        type = self.icat.named(sample, "type", "sampleType")
        lines = [
            f"{name}: {value}"
            for name, value, _ in (
                self._quantity(parameter) for parameter in self.icat.of(sample, "sampleParameter")
            )
        ]
        facts = {
            "description": "\n".join(lines),
            "material": type.text("molecularFormula") if type else "",
            "accession_number": sample.text("pid"),
        }
        return DraftEntity("specimen", sample.key, sample.text("name") or sample.key, _without_empty(facts))

    def study(self, study: IcatEntity) -> DraftEntity:
        """Read a study: a collection of its proposals."""
        members = [
            ("proposal", investigation.key)
            for link in self.icat.of(study, "studyInvestigation")
            if (investigation := self.icat.named(link, "investigation"))
        ]
        facts = {"description": study.text("description")}
        return DraftEntity(
            "collection",
            study.key,
            f"Study {study.text('name') or study.key}",
            _without_empty(facts),
            tuple(members),
        )

    def publication(self, publication: IcatEntity) -> DraftEntity:
        """Read a data publication: a collection of its datasets."""
        members = [("record", dataset.key) for dataset in self.relations.published_in(publication)]
        people = [self._person(publisher) for publisher in self._publishers(publication)]
        facts = {
            "description": publication.text("description"),
            "curators": "\n".join(_person_text(person) for person in people if person),
        }
        return DraftEntity(
            "collection",
            publication.key,
            publication.text("title") or publication.key,
            _without_empty(facts),
            tuple(members),
        )

    def paper(self, publication: IcatEntity) -> DraftEntity:
        """Read a publication: a document about the datasets of its investigation."""
        investigation = self.icat.named(publication, "investigation")
        members = (
            [("record", dataset.key) for dataset in self.icat.of(investigation, "dataset")]
            if investigation
            else []
        )
        doi = identifiers.DOI.fullmatch(publication.text("doi"))
        if publication.text("doi") and not doi:
            self.notes.problems.append(
                f"publication {publication.key}: {publication.text('doi')} is no DOI; it was left out"
            )
        facts = {"type": "paper", "paper_doi": doi[1] if doi else "", "address": publication.text("url")}
        name = (
            " ".join(publication.text("fullReference").split()) or publication.text("doi") or publication.key
        )
        return DraftEntity("document", publication.key, name, _without_empty(facts), tuple(members))

    def record(self, dataset: IcatEntity) -> DraftRecord:
        """Read a dataset."""
        investigation = self.icat.named(dataset, "investigation")
        sample = self.icat.named(dataset, "sample")
        instrument = next(
            (self.icat.named(link, "instrument") for link in self.icat.of(dataset, "datasetInstrument")), None
        )
        if instrument is None and investigation:
            links = self.icat.of(investigation, "investigationInstrument")
            instrument = next((self.icat.named(link, "instrument") for link in links), None)
        publications = self.relations.publications.get(dataset, [])
        creators = [
            person
            for publication in publications
            for person in map(self._person, self._publishers(publication))
            if person
        ]
        if not creators and investigation:
            creators = self._investigators(investigation)
        type = self.icat.named(dataset, "type", "datasetType")
        keywords = (
            [keyword.text("name") for keyword in self.icat.of(investigation, "keyword")]
            if investigation
            else []
        )
        released = _moment(investigation.text("releaseDate")) if investigation else None
        since = [_moment(publication.text("publicationDate")) for publication in publications]
        now = datetime.now(UTC)
        return DraftRecord(
            key=dataset.key,
            title=self._title(dataset, investigation),
            created=_moment(dataset.text("startDate")),
            description=dataset.text("description")
            or next((publication.text("description") for publication in publications), ""),
            creators=tuple(creators),
            keywords=tuple(dict.fromkeys([*keywords, *([type.text("name")] if type else [])])),
            techniques=self._techniques(dataset),
            related=self._related(dataset, investigation, publications),
            funding=self._funding(investigation, publications),
            parameters=self._parameters(dataset),
            specimen=sample.key if sample else "",
            proposal=investigation.key if investigation else "",
            instrument=instrument.key if instrument else "",
            derived_from=tuple(source.key for source in self.relations.inputs.get(dataset, [])),
            files=tuple(
                self._file(datafile, dataset, investigation) for datafile in self.icat.of(dataset, "datafile")
            ),
            original=self._original_of(dataset),
            is_open=bool(released and released <= now) or any(moment and moment <= now for moment in since),
            opens=released,
            team=self._team(investigation) if investigation else "",
        )

    def _title(self, dataset: IcatEntity, investigation: IcatEntity | None) -> str:
        name = dataset.text("name") or dataset.key
        title = investigation.text("title") if investigation else ""
        return f"{title}: {name}" if title else name

    def _techniques(self, dataset: IcatEntity) -> tuple[str, ...]:
        terms = []
        for link in self.icat.of(dataset, "datasetTechnique"):
            technique = self.icat.named(link, "technique")
            named_technique = link.attributes.get("technique")
            pid = (
                technique.text("pid")
                if technique
                else named_technique.attributes.get("pid", "")
                if isinstance(named_technique, Reference)
                else ""
            )
            match = _PANET.search(pid)
            if match and match[0] in panet.terms():
                terms.append(match[0])
            else:
                self.notes.unknown[f"technique {pid or link.key}, no imaging technique of PaNET"] += 1
        return tuple(dict.fromkeys(terms))

    def _related(
        self, dataset: IcatEntity, investigation: IcatEntity | None, publications: list[IcatEntity]
    ) -> tuple[Related, ...]:
        pairs = [
            ("IsIdenticalTo", dataset.text("doi")),
            *(("IsPartOf", publication.text("pid")) for publication in publications),
        ]
        pairs += [("IsPartOf", investigation.text("doi"))] if investigation else []
        pairs += [
            ("References", item.text("identifier"))
            for publication in publications
            for item in self.icat.of(publication, "relatedItem", "publication")
            if item.text("relationType") in ("References", "Cites")
        ]
        related = []
        for relation, text in pairs:
            bare = re.sub(r"^(?:doi|url):\s*", "", text, flags=re.IGNORECASE)
            identifier, kind = identifiers.classify(bare)
            if kind:
                related.append(Related(relation, identifier))  # type: ignore[arg-type]
            elif text:
                self.notes.unknown[f"{text}, no DOI or address"] += 1
        return tuple(dict.fromkeys(related))

    def _funding(
        self, investigation: IcatEntity | None, publications: list[IcatEntity]
    ) -> tuple[Funding, ...]:
        links = self.icat.of(investigation, "investigationFunding") if investigation else []
        links = links + [
            link
            for publication in publications
            for link in self.icat.of(publication, "dataPublicationFunding", "publication")
        ]
        references = [self.icat.named(link, "funding", "fundingReference") for link in links]
        awards = [
            Funding(reference.text("funderName"), reference.text("awardNumber"))
            for reference in references
            if reference and reference.text("funderName")
        ]
        return tuple(dict.fromkeys(awards))

    def _parameters(self, dataset: IcatEntity) -> dict[str, Value[Any]]:
        parameters: dict[str, Value[Any]] = {}
        if end := dataset.text("endDate"):
            parameters["end_time"] = Value(end, "read", f"{self.where}: dataset endDate")
        if start := dataset.text("startDate"):
            parameters["start_time"] = Value(start, "read", f"{self.where}: dataset startDate")
        for dataset_parameter in self.icat.of(dataset, "datasetParameter"):
            name, value, unit = self._quantity(dataset_parameter)
            key, parameter = parameter_of(name, value, unit, f"{self.where}: {dataset.text('name')}")
            parameters[key] = parameter
        return parameters

    def _quantity(self, entity: IcatEntity) -> tuple[str, Any, str]:
        """Return the name, value and unit of a parameter; of one with an error or a range, that stands in its text."""
        reference = entity.attributes.get("type")
        type = self.icat.named(entity, "type", "parameterType")
        attributes = reference.attributes if isinstance(reference, Reference) else {}
        name = type.text("name") if type else attributes.get("name", entity.key)
        unit = type.text("units") if type else attributes.get("units", "")
        number = entity.attributes.get("numericValue")
        if number is None:
            return name, entity.text("stringValue", "dateTimeValue"), ""
        try:
            return name, float(number), unit
        except (TypeError, ValueError):
            self.notes.problems.append(
                f"parameter {name} of {entity.key}: {number!r} is no number; it is kept as a text"
            )
            return name, str(number), unit

    def _file(self, datafile: IcatEntity, dataset: IcatEntity, investigation: IcatEntity | None) -> DraftFile:
        name = re.sub(r"[\\/\0]+", "_", datafile.text("name")) or "file"
        location, folder = datafile.text("location"), dataset.text("location")
        above = investigation.text("name") if investigation else ""
        guesses = [location, f"{folder}/{datafile.text('name')}" if folder else ""]
        if not location and not folder:
            guesses += [f"{above}/{dataset.text('name')}/{datafile.text('name')}"]
        size = datafile.text("fileSize")
        return DraftFile(
            name,
            tuple(guess for guess in guesses if guess),
            int(size) if size.isdigit() else None,
            datafile.text("checksum"),
        )

    def _publishers(self, publication: IcatEntity) -> list[IcatEntity]:
        users = self.icat.of(publication, "dataPublicationUser", "publication")
        creators = [user for user in users if user.text("contributorType") in ("", "Creator")]
        return sorted(creators, key=lambda user: user.text("orderKey"))

    def _investigators(self, investigation: IcatEntity) -> list[Person]:
        links = self.icat.of(investigation, "investigationUser")
        chosen = [link for link in links if _is_leader(link.text("role"))]
        chosen += [
            link for link in links if link.text("role").lower() in ("investigator", "co-investigator", "user")
        ]
        people = [self._person(self.icat.named(link, "user")) for link in chosen]
        return list(dict.fromkeys(person for person in people if person))

    def _person(self, user: IcatEntity | None) -> Person | None:
        if user is None:
            return None
        name = user.text("fullName", "name")
        if user.text("familyName") and user.text("givenName"):
            name = f"{user.text('familyName')}, {user.text('givenName')}"
        account = self.icat.named(user, "user") if user.type == "dataPublicationUser" else None
        where = self.icat.of(user, "affiliation", "user") if user.type == "dataPublicationUser" else []
        place = user.text("affiliation") or next(
            (affiliation.text("fullReference", "name") for affiliation in where), ""
        )
        orcid = user.text("orcidId") or (account.text("orcidId") if account else "")
        pid = next((affiliation.text("pid") for affiliation in where), "")
        return person_of(name, orcid, place, pid, self.notes)

    def _team(self, investigation: IcatEntity) -> str:
        groups = self.icat.of(investigation, "investigationGroup")
        for role in _WRITERS:
            for link in groups:
                group = self.icat.named(link, "grouping")
                if link.text("role").lower() == role and group:
                    return group.text("name")
        return ""

    def _original_of(self, dataset: IcatEntity) -> dict[str, Any]:
        """Return all attributes of a dataset, and of its investigation and sample, as the file has them."""
        content = self._content_of(dataset)
        for name in ("investigation", "sample"):
            if above := self.icat.named(dataset, name):
                content[name] = self._content_of(above)
        for end, relations in self.relations.related_files.get(dataset, {}).items():
            content[f"relatedDatafiles ({end})"] = [self._content_of(relation) for relation in relations]
        return content

    def _content_of(self, entity: IcatEntity, above: str = "") -> dict[str, Any]:
        """Return all attributes of an entity and of those below it, without a reference back to itself."""
        content: dict[str, Any] = {
            name: value.key or dict(value.attributes) if isinstance(value, Reference) else _json(value)
            for name, value in entity.attributes.items()
            if name != above
        }
        for type in ("datafile", f"{entity.type}Parameter", *_BELOW):
            below = self.icat.of(entity, type)
            if below:
                content[f"{type}s"] = [
                    self._add_named(self._content_of(entity_below, entity.type), entity_below)
                    for entity_below in below
                ]
        return content

    def _add_named(self, content: dict[str, Any], entity: IcatEntity) -> dict[str, Any]:
        """Add the attributes of what an entity references, where its key alone tells nothing here."""
        for name, type in (("type", "parameterType"), ("user", "user"), ("technique", "technique")):
            if (other := self.icat.named(entity, name, type)) is not None:
                content[name] = {
                    key: _json(value)
                    for key, value in other.attributes.items()
                    if not isinstance(value, Reference)
                }
        return content


def _is_leader(role: str) -> bool:
    return role.lower() in (
        "principal investigator",
        "pi",
        "principal_investigator",
        "proposer",
        "main proposer",
    )


def _person_text(person: Person) -> str:
    from tomarium.model.person import write_person

    return write_person(person)


def _without_empty(facts: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in facts.items() if text}


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise ParameterError(f"{text[:40]!r} is no moment of ISO 8601") from problem
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _json(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)


ICAT = Source("icat", "what icatdump of python-icat wrote: XML or YAML", read)
