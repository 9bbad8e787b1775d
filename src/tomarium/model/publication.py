"""What makes a record citable: its DOI, its versions, when it opens, and what it is related to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

Relation = Literal[
    "IsDerivedFrom",
    "IsSourceOf",
    "IsPartOf",
    "HasPart",
    "IsVersionOf",
    "HasVersion",
    "IsNewVersionOf",
    "IsPreviousVersionOf",
    "IsCollectedBy",
    "IsDescribedBy",
    "IsCitedBy",
    "IsSupplementTo",
    "References",
    "Cites",
]
RELATIONS: Final[tuple[str, ...]] = get_args(Relation)
"""Relations to other things, by the names of DataCite's relationType."""


@dataclass(frozen=True)
class Related:
    """Something else that a record is related to.

    Attributes
    ----------
    relation : str
        A relationType of DataCite: the record "IsDerivedFrom", "IsCitedBy" … that thing.
    identifier : str
        A DOI ("10.5072/abc"), an address ("https://…"), or the identifier of a record of this catalogue.
    """

    relation: Relation
    identifier: str


@dataclass(frozen=True)
class Funding:
    """Who paid for it.

    Attributes
    ----------
    funder : str
        Name of the organisation.
    award : str
        Number or title of the grant, "" where none is known.
    """

    funder: str
    award: str = ""


@dataclass(frozen=True)
class Publication:
    """That a record was published.

    Attributes
    ----------
    published : datetime
        When, with its time zone. From then on its page is public.
    publisher : str
        Name of the organisation that holds it available.
    doi : str
        DOI of this version, "10.5072/tooth.v1"; "" where none was asked for.
    concept_doi : str
        DOI of all its versions together; "" where there is none.
    version : int
        From 1.
    open_from : datetime
        When its files open; `published` where there is no embargo.
    kept_until : datetime or None
        Until when the publisher has promised to keep it.
    withdrawn : datetime or None
        Since when its files are not given any more.
    reason : str
        Why it was withdrawn.
    """

    published: datetime
    publisher: str
    open_from: datetime
    doi: str = ""
    concept_doi: str = ""
    version: int = 1
    kept_until: datetime | None = None
    withdrawn: datetime | None = None
    reason: str = ""
