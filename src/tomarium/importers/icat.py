"""ICAT: what python-icat's `icatdump` wrote, as XML or YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium.catalogue.filing import id_words
from tomarium.errors import ParameterError
from tomarium.importers.found import DraftEntity, DraftFile, DraftRecord, Found, Notes, Source, sources_first
from tomarium.importers.icat_objects import Icat, Reference, Thing, read_icat
from tomarium.importers.icat_ties import Ties
from tomarium.importers.icat_types import note_unknown
from tomarium.importers.people import person_of
from tomarium.importers.quantity import parameter_of
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
    work = _Reading(icat, Ties(icat), path.name, notes)
    records = [work.record(one) for one in icat.all("dataset")]
    entities = [
        *(work.instrument(one) for one in icat.all("instrument")),
        *(work.proposal(one) for one in icat.all("investigation")),
        *(work.specimen(one) for one in icat.all("sample")),
        *(work.study(one) for one in icat.all("study")),
        *(work.publication(one) for one in icat.all("dataPublication")),
        *(work.paper(one) for one in icat.all("publication")),
    ]
    return Found(tuple(entities), sources_first(records), notes)


@dataclass(frozen=True)
class _Reading:
    """An ICAT that is read: its objects and what ties them, the file's name, and what is not understood."""

    icat: Icat
    ties: Ties
    where: str
    notes: Notes

    def instrument(self, thing: Thing) -> DraftEntity:
        """Read an instrument."""
        facility = self.icat.named(thing, "facility")
        facts = {
            "description": " ".join(thing.text("description").split()),
            "pid": thing.text("pid"),
            "facility": facility.text("fullName", "name") if facility else "",
        }
        return DraftEntity("instrument", thing.key, thing.text("fullName", "name") or thing.key, _told(facts))

    def proposal(self, thing: Thing) -> DraftEntity:
        """Read an investigation."""
        facility = self.icat.named(thing, "facility")
        users = sorted(
            self.icat.of(thing, "investigationUser"),
            key=lambda one: _is_leader(one.text("role")),
            reverse=True,
        )
        team = [self._person(self.icat.named(one, "user")) for one in users]
        instruments = [
            self.icat.named(one, "instrument") for one in self.icat.of(thing, "investigationInstrument")
        ]
        number = thing.text("name")
        facts = {
            "description": thing.text("summary"),
            "number": number,
            "team": "\n".join(dict.fromkeys(_typed(one) for one in team if one)),
            "start": thing.text("startDate")[:10],
            "end": thing.text("endDate")[:10],
            "instrument": ", ".join(one.text("fullName", "name") for one in instruments if one),
            "facility": facility.text("fullName", "name") if facility else "",
        }
        id = id_words(number) if number else ""
        return DraftEntity(
            "proposal", thing.key, thing.text("title") or number or thing.key, _told(facts), id=id
        )

    def specimen(self, thing: Thing) -> DraftEntity:
        """Read a sample; its parameters stand in its description."""
        type = self.icat.named(thing, "type", "sampleType")
        said = [
            f"{name}: {value}"
            for name, value, _ in (self._quantity(one) for one in self.icat.of(thing, "sampleParameter"))
        ]
        facts = {
            "description": "\n".join(said),
            "material": type.text("molecularFormula") if type else "",
            "accession_number": thing.text("pid"),
        }
        return DraftEntity("specimen", thing.key, thing.text("name") or thing.key, _told(facts))

    def study(self, thing: Thing) -> DraftEntity:
        """Read a study: a collection of its proposals."""
        members = [
            ("proposal", one.key)
            for link in self.icat.of(thing, "studyInvestigation")
            if (one := self.icat.named(link, "investigation"))
        ]
        facts = {"description": thing.text("description")}
        return DraftEntity(
            "collection", thing.key, f"Study {thing.text('name') or thing.key}", _told(facts), tuple(members)
        )

    def publication(self, thing: Thing) -> DraftEntity:
        """Read a data publication: a collection of its datasets."""
        members = [("record", one.key) for one in self.ties.published_in(thing)]
        people = [self._person(one) for one in self._publishers(thing)]
        facts = {
            "description": thing.text("description"),
            "curators": "\n".join(_typed(one) for one in people if one),
        }
        return DraftEntity(
            "collection", thing.key, thing.text("title") or thing.key, _told(facts), tuple(members)
        )

    def paper(self, thing: Thing) -> DraftEntity:
        """Read a publication: a document about the datasets of its investigation."""
        investigation = self.icat.named(thing, "investigation")
        members = (
            [("record", one.key) for one in self.icat.of(investigation, "dataset")] if investigation else []
        )
        doi = identifiers.DOI.fullmatch(thing.text("doi"))
        if thing.text("doi") and not doi:
            self.notes.problems.append(
                f"publication {thing.key}: {thing.text('doi')} is no DOI; it was left out"
            )
        facts = {
            "type": "paper",
            "paper_doi": doi[1] if doi else "",
            "address": thing.text("url"),
        }
        name = " ".join(thing.text("fullReference").split()) or thing.text("doi") or thing.key
        return DraftEntity("document", thing.key, name, _told(facts), tuple(members))

    def record(self, thing: Thing) -> DraftRecord:
        """Read a dataset."""
        investigation = self.icat.named(thing, "investigation")
        sample = self.icat.named(thing, "sample")
        instrument = next(
            (self.icat.named(one, "instrument") for one in self.icat.of(thing, "datasetInstrument")), None
        )
        if instrument is None and investigation:
            links = self.icat.of(investigation, "investigationInstrument")
            instrument = next((self.icat.named(one, "instrument") for one in links), None)
        publications = self.ties.publications.get(thing, [])
        creators = [
            person for one in publications for person in map(self._person, self._publishers(one)) if person
        ]
        if not creators and investigation:
            creators = self._investigators(investigation)
        type = self.icat.named(thing, "type", "datasetType")
        keywords = (
            [one.text("name") for one in self.icat.of(investigation, "keyword")] if investigation else []
        )
        released = _moment(investigation.text("releaseDate")) if investigation else None
        since = [_moment(one.text("publicationDate")) for one in publications]
        now = datetime.now(UTC)
        return DraftRecord(
            key=thing.key,
            title=self._title(thing, investigation),
            created=_moment(thing.text("startDate")),
            description=thing.text("description")
            or next((one.text("description") for one in publications), ""),
            creators=tuple(creators),
            keywords=tuple(dict.fromkeys([*keywords, *([type.text("name")] if type else [])])),
            techniques=self._techniques(thing),
            related=self._related(thing, investigation, publications),
            funding=self._funding(investigation, publications),
            parameters=self._parameters(thing),
            specimen=sample.key if sample else "",
            proposal=investigation.key if investigation else "",
            instrument=instrument.key if instrument else "",
            derived_from=tuple(one.key for one in self.ties.inputs.get(thing, [])),
            files=tuple(self._file(one, thing, investigation) for one in self.icat.of(thing, "datafile")),
            original=self._original(thing),
            is_open=bool(released and released <= now) or any(one and one <= now for one in since),
            opens=released,
            team=self._team(investigation) if investigation else "",
        )

    def _title(self, thing: Thing, investigation: Thing | None) -> str:
        name = thing.text("name") or thing.key
        title = investigation.text("title") if investigation else ""
        return f"{title}: {name}" if title else name

    def _techniques(self, thing: Thing) -> tuple[str, ...]:
        found = []
        for link in self.icat.of(thing, "datasetTechnique"):
            technique = self.icat.named(link, "technique")
            told = link.told.get("technique")
            pid = (
                technique.text("pid")
                if technique
                else told.says.get("pid", "")
                if isinstance(told, Reference)
                else ""
            )
            known = _PANET.search(pid)
            if known and known[0] in panet.terms():
                found.append(known[0])
            else:
                self.notes.unknown[f"technique {pid or link.key}, no imaging technique of PaNET"] += 1
        return tuple(dict.fromkeys(found))

    def _related(
        self, thing: Thing, investigation: Thing | None, publications: list[Thing]
    ) -> tuple[Related, ...]:
        told = [
            ("IsIdenticalTo", thing.text("doi")),
            *(("IsPartOf", one.text("pid")) for one in publications),
        ]
        told += [("IsPartOf", investigation.text("doi"))] if investigation else []
        told += [
            ("References", one.text("identifier"))
            for publication in publications
            for one in self.icat.of(publication, "relatedItem", "publication")
            if one.text("relationType") in ("References", "Cites")
        ]
        found = []
        for relation, text in told:
            bare = re.sub(r"^(?:doi|url):\s*", "", text, flags=re.IGNORECASE)
            identifier, kind = identifiers.classify(bare)
            if kind:
                found.append(Related(relation, identifier))  # type: ignore[arg-type]
            elif text:
                self.notes.unknown[f"{text}, no DOI or address"] += 1
        return tuple(dict.fromkeys(found))

    def _funding(self, investigation: Thing | None, publications: list[Thing]) -> tuple[Funding, ...]:
        links = self.icat.of(investigation, "investigationFunding") if investigation else []
        links = links + [
            link
            for one in publications
            for link in self.icat.of(one, "dataPublicationFunding", "publication")
        ]
        told = [self.icat.named(one, "funding", "fundingReference") for one in links]
        found = [
            Funding(one.text("funderName"), one.text("awardNumber"))
            for one in told
            if one and one.text("funderName")
        ]
        return tuple(dict.fromkeys(found))

    def _parameters(self, thing: Thing) -> dict[str, Value[Any]]:
        found: dict[str, Value[Any]] = {}
        if end := thing.text("endDate"):
            found["end_time"] = Value(end, "read", f"{self.where}: dataset endDate")
        if start := thing.text("startDate"):
            found["start_time"] = Value(start, "read", f"{self.where}: dataset startDate")
        for one in self.icat.of(thing, "datasetParameter"):
            name, value, unit = self._quantity(one)
            key, told = parameter_of(name, value, unit, f"{self.where}: {thing.text('name')}")
            found[key] = told
        return found

    def _quantity(self, thing: Thing) -> tuple[str, Any, str]:
        """Return the name, value and unit of a parameter; of one with an error or a range, that stands in its text."""
        told = thing.told.get("type")
        type = self.icat.named(thing, "type", "parameterType")
        says = told.says if isinstance(told, Reference) else {}
        name = type.text("name") if type else says.get("name", thing.key)
        unit = type.text("units") if type else says.get("units", "")
        number = thing.told.get("numericValue")
        if number is None:
            return name, thing.text("stringValue", "dateTimeValue"), ""
        try:
            return name, float(number), unit
        except (TypeError, ValueError):
            self.notes.problems.append(
                f"parameter {name} of {thing.key}: {number!r} is no number; it is kept as a text"
            )
            return name, str(number), unit

    def _file(self, thing: Thing, dataset: Thing, investigation: Thing | None) -> DraftFile:
        name = re.sub(r"[\\/\0]+", "_", thing.text("name")) or "file"
        told, folder = thing.text("location"), dataset.text("location")
        above = investigation.text("name") if investigation else ""
        guesses = [told, f"{folder}/{thing.text('name')}" if folder else ""]
        if not told and not folder:
            guesses += [f"{above}/{dataset.text('name')}/{thing.text('name')}"]
        size = thing.text("fileSize")
        return DraftFile(
            name,
            tuple(one for one in guesses if one),
            int(size) if size.isdigit() else None,
            thing.text("checksum"),
        )

    def _publishers(self, publication: Thing) -> list[Thing]:
        users = self.icat.of(publication, "dataPublicationUser", "publication")
        creators = [one for one in users if one.text("contributorType") in ("", "Creator")]
        return sorted(creators, key=lambda one: one.text("orderKey"))

    def _investigators(self, investigation: Thing) -> list[Person]:
        links = self.icat.of(investigation, "investigationUser")
        chosen = [one for one in links if _is_leader(one.text("role"))]
        chosen += [
            one for one in links if one.text("role").lower() in ("investigator", "co-investigator", "user")
        ]
        people = [self._person(self.icat.named(one, "user")) for one in chosen]
        return list(dict.fromkeys(one for one in people if one))

    def _person(self, thing: Thing | None) -> Person | None:
        if thing is None:
            return None
        name = thing.text("fullName", "name")
        if thing.text("familyName") and thing.text("givenName"):
            name = f"{thing.text('familyName')}, {thing.text('givenName')}"
        account = self.icat.named(thing, "user") if thing.type == "dataPublicationUser" else None
        where = self.icat.of(thing, "affiliation", "user") if thing.type == "dataPublicationUser" else []
        place = thing.text("affiliation") or next((one.text("fullReference", "name") for one in where), "")
        orcid = thing.text("orcidId") or (account.text("orcidId") if account else "")
        pid = next((one.text("pid") for one in where), "")
        return person_of(name, orcid, place, pid, self.notes)

    def _team(self, investigation: Thing) -> str:
        groups = self.icat.of(investigation, "investigationGroup")
        for role in _WRITERS:
            for one in groups:
                group = self.icat.named(one, "grouping")
                if one.text("role").lower() == role and group:
                    return group.text("name")
        return ""

    def _original(self, thing: Thing) -> dict[str, Any]:
        """Return all that the file tells of a dataset, and of what it belongs to, in its own words."""
        told = self._whole(thing)
        for name in ("investigation", "sample"):
            if above := self.icat.named(thing, name):
                told[name] = self._whole(above)
        for end, relations in self.ties.related_files.get(thing, {}).items():
            told[f"relatedDatafiles ({end})"] = [self._whole(one) for one in relations]
        return told

    def _whole(self, thing: Thing, above: str = "") -> dict[str, Any]:
        """Return all that is told of an object and of what belongs to it; not again what it belongs to itself."""
        told: dict[str, Any] = {
            name: value.key or dict(value.says) if isinstance(value, Reference) else _json(value)
            for name, value in thing.told.items()
            if name != above
        }
        for type in ("datafile", f"{thing.type}Parameter", *_BELOW):
            below = self.icat.of(thing, type)
            if below:
                told[f"{type}s"] = [self._named(self._whole(one, thing.type), one) for one in below]
        return told

    def _named(self, told: dict[str, Any], thing: Thing) -> dict[str, Any]:
        """Put what an object names beside it, where its key alone would tell nothing here."""
        for name, type in (("type", "parameterType"), ("user", "user"), ("technique", "technique")):
            if (other := self.icat.named(thing, name, type)) is not None:
                told[name] = {
                    key: _json(value) for key, value in other.told.items() if not isinstance(value, Reference)
                }
        return told


def _is_leader(role: str) -> bool:
    return role.lower() in (
        "principal investigator",
        "pi",
        "principal_investigator",
        "proposer",
        "main proposer",
    )


def _typed(person: Person) -> str:
    from tomarium.model.person import write_person

    return write_person(person)


def _told(facts: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in facts.items() if text}


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as problem:
        raise ParameterError(f"{text[:40]!r} is no moment of ISO 8601") from problem
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _json(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)


ICAT = Source("icat", "what icatdump of python-icat wrote: XML or YAML", read)
