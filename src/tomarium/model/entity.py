"""What records are of and come from: specimens, proposals, instruments, facilities, organisations and more."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from tomarium.errors import ParameterError
from tomarium.model.level import check_marks
from tomarium.model.person import is_ror, read_person, write_person

PUBLICATIONS: Final = (
    "paper",
    "preprint",
    "thesis",
    "book",
    "book chapter",
    "conference paper",
    "report",
    "dataset",
    "software",
    "other",
)
"""Types of a document that were published elsewhere and cite the data they used."""
HOWS: Final = {
    "aliquot": "an aliquot of",
    "section": "a section of",
    "polished": "polished from",
    "fib-lift-out": "lifted out by FIB from",
    "pooled": "pooled from",
    "treated": "treated from",
    "replica": "a replica of",
    "same-as": "the same as",
}
"""How a specimen was made from another → words for people."""
_ROR: Final = re.compile(r"(?:https?://)?(?:ror\.org/)?(0[a-hj-km-np-tv-z0-9]{6}[0-9]{2})")
_DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_LONGEST: Final = 20_000
_OLDEST: Final = 90
"""Years of age that are told to others as they are, and no more."""


@dataclass(frozen=True)
class Fact:
    """A fact that is told of a kind of entity.

    Attributes
    ----------
    key, label : str
        Its key, and its name for people.
    form : str
        "text", "list", "people" (a list), "day", "ror" or "doi".
    private : bool
        Whether only its owner and curators see it unless it was disclosed.
    searched : bool
        Whether records are found by it.
    """

    key: str
    label: str
    form: str = "text"
    private: bool = False
    searched: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of entity.

    Attributes
    ----------
    name, plural : str
        "specimen", "specimens"; the latter also in addresses.
    facts : tuple of Fact
        What can be told of it, in the order of its page.
    general : str
        DataCite's resourceTypeGeneral.
    """

    name: str
    plural: str
    facts: tuple[Fact, ...]
    general: str


_DESCRIPTION: Final = Fact("description", "Description")
_FACILITY: Final = (
    Fact("facility", "Facility", searched=True),
    Fact("facility_ror", "ROR of the facility", "ror"),
)
_OF_INSTITUTION: Final = (
    Fact("ror", "ROR", "ror"),
    Fact("other_names", "Other names", "list"),
    Fact("country", "Country"),
    Fact("address", "Home page"),
)
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind(
            "specimen",
            "specimens",
            (
                _DESCRIPTION,
                Fact("taxon", "Taxon", searched=True),
                Fact("taxon_authority", "Authority of the name"),
                Fact("taxon_id", "Identifier of the taxon", searched=True),
                Fact("taxon_verbatim", "Taxon as it was written", searched=True),
                Fact("taxon_synonyms", "Synonyms", "list", searched=True),
                Fact("organ", "Organ or part", searched=True),
                Fact("material", "Material", searched=True),
                Fact("place", "Place of origin", searched=True),
                Fact("collected", "Collected", "day"),
                Fact("collection", "Collection", searched=True),
                Fact("accession_number", "Accession number", searched=True),
                Fact("institution", "Institution", searched=True),
                Fact("institution_ror", "ROR of the institution", "ror"),
                Fact("preparation", "Preparation"),
                Fact("hazards", "Safety remarks"),
                Fact("donor", "Donor", private=True),
                Fact("age", "Age of the donor", private=True),
                Fact("sex", "Sex of the donor", private=True),
                Fact("weight", "Weight of the donor", private=True),
                Fact("height", "Height of the donor", private=True),
                Fact("medical_history", "Medical history", private=True),
                Fact("cause_of_death", "Cause of death", private=True),
            ),
            "PhysicalObject",
        ),
        Kind(
            "proposal",
            "proposals",
            (
                _DESCRIPTION,
                Fact("number", "Number", searched=True),
                Fact("team", "Team", "people", searched=True),
                Fact("start", "First day", "day"),
                Fact("end", "Last day", "day"),
                Fact("instrument", "Instrument", searched=True),
                *_FACILITY,
                Fact("email", "E-mail", private=True),
                Fact("phone", "Telephone", private=True),
            ),
            "Project",
        ),
        Kind(
            "instrument",
            "instruments",
            (
                _DESCRIPTION,
                Fact("pid", "Persistent identifier"),
                *_FACILITY,
                Fact("manufacturer", "Manufacturer"),
                Fact("model", "Model"),
                Fact("acknowledgement", "What those who use its data are asked to write"),
            ),
            "Instrument",
        ),
        Kind(
            "facility",
            "facilities",
            (_DESCRIPTION, *_OF_INSTITUTION, Fact("operator", "Operated by")),
            "Other",
        ),
        Kind("organisation", "organisations", (_DESCRIPTION, *_OF_INSTITUTION), "Other"),
        Kind(
            "collection",
            "collections",
            (
                _DESCRIPTION,
                Fact("curators", "Curators", "people"),
                Fact("members", "Members, in their order", "list"),
            ),
            "Collection",
        ),
        Kind(
            "document",
            "documents",
            (
                _DESCRIPTION,
                Fact("type", "Type: paper, tutorial, lesson …"),
                Fact("authors", "Authors", "people"),
                Fact("year", "Year"),
                Fact("journal", "Journal or book"),
                Fact("volume", "Volume"),
                Fact("pages", "Pages"),
                Fact("publisher", "Publisher"),
                Fact("paper_doi", "DOI", "doi"),
                Fact("address", "Address"),
                Fact("members", "What it is about", "list"),
            ),
            "Text",
        ),
    )
}
"""Name of a kind → what it is."""
INSTITUTIONS: Final = {
    "facility": (("facility", "facility_ror"),),
    "organisation": (("institution", "institution_ror"), ("facility", "facility_ror"), ("operator", "")),
}
"""Kind of an institution → the facts of others that name it, each with that of its ROR id ("" where there is none)."""


@dataclass(frozen=True)
class Origin:
    """That a specimen was made from another.

    Attributes
    ----------
    parent : str
        Identifier of the other.
    how : str
        A key of `HOWS`.
    """

    parent: str
    how: str


@dataclass(frozen=True)
class Entity:
    """Something that records are of or come from.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    id : str
        Identifier among the entities of all kinds: lower-case letters, digits and hyphens.
    name : str
        One line for people.
    facts : Mapping of str to (str or list of str)
        Key of a `Fact` → what is told.
    disclosed : tuple of str
        Keys of private facts that were declared public.
    origins : tuple of Origin
        What it was made from; of specimens only.
    doi : str
        Its DOI, "" where it has none.
    published : datetime or None
        Since when everybody may see it.
    """

    kind: str
    id: str
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    disclosed: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    doi: str = ""
    published: datetime | None = None

    @property
    def searched(self) -> str:
        """The words by which records of it are found."""
        values = [self.facts.get(fact.key, "") for fact in KINDS[self.kind].facts if fact.searched]
        return ", ".join(
            [self.name, self.id, *(value if isinstance(value, str) else ", ".join(value) for value in values)]
        )


def public_facts(entity: Entity) -> dict[str, Any]:
    """Tell the facts of an entity that everybody who sees it may know.

    Parameters
    ----------
    entity : Entity
        With all of its facts.

    Returns
    -------
    dict
        Without those that are private and were not disclosed, and without the members of a collection, some of
        which may be hidden from who asks.
    """
    public = {fact.key for fact in KINDS[entity.kind].facts if not fact.private} | set(entity.disclosed)
    facts = {key: fact for key, fact in entity.facts.items() if key in public and key != "members"}
    years = re.match(r"\s*(\d+)", str(facts.get("age", "")))
    if years and int(years[1][:4]) >= _OLDEST:
        facts["age"] = f"{_OLDEST}+"  # few are as old, so that the number would tell who it was
    return facts


def entity_line(entity: Entity) -> str:
    """Write an entity on one line: its name, and what of its public facts tells it from others."""
    keys = ("taxon", "number", "facility", "institution", "accession_number")
    values = [str(public_facts(entity).get(key, "")) for key in keys]
    return ", ".join(filter(None, (f"{entity.name} ({entity.id})", *values)))


def read_fact(kind: str, key: str, text: str) -> str | list[str]:
    """Read a fact as people type it.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    key : str
        Key of one of its facts.
    text : str
        A text; of a list, its items with ";" or line ends between.

    Returns
    -------
    str or list of str
        "" or [] where the text is empty.

    Raises
    ------
    ParameterError
        There is no such fact, or the text is none of its form; of a document, that its parts for levels
        (`model.level`) are not begun and ended.
    """
    facts = {fact.key: fact for fact in KINDS[kind].facts}
    if key not in facts:
        near = difflib.get_close_matches(key, facts, 1)
        raise ParameterError(
            f"a {kind} has no fact {key[:60]!r}{f'; {near[0]} was meant?' if near else ''}; "
            f"there are {', '.join(facts)}"
        )
    text = text.strip()
    if len(text) > _LONGEST:
        raise ParameterError(f"{key}: has {len(text)} characters; at most {_LONGEST} were expected")
    form = facts[key].form
    if form in ("list", "people"):
        items = [" ".join(word.split()) for word in re.split(r"[;\n]", text) if word.strip()]
        return [write_person(read_person(item)) for item in items] if form == "people" else items
    if kind == "document" and key == "description":
        check_marks(text)
    return _checked(key, form, text) if text else ""


def _checked(key: str, form: str, text: str) -> str:
    if form == "day":
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError as problem:
            raise ParameterError(f"{key}: {text[:40]!r} is no day; write it as 2026-11-20") from problem
    patterns = {
        "ror": (_ROR, "ROR id, such as https://ror.org/02550n020"),
        "doi": (_DOI, "DOI, such as 10.1038/abc"),
    }
    if form in patterns:
        pattern, expected = patterns[form]
        if not (matched := pattern.fullmatch(text)):
            raise ParameterError(f"{key}: {text[:80]!r} is no {expected}")
        if form == "ror" and not is_ror(matched[1]):
            raise ParameterError(
                f"{key}: {matched[1]} is no ROR id: its last two digits do not fit the others; check it at ror.org"
            )
        return matched[1]
    return text if key in ("description", "medical_history") else " ".join(text.split())
