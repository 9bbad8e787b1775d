"""What makes a record citable: its DOI, its versions, when it opens, and what it is related to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast, get_args

from tomarium.errors import ParameterError
from tomarium.model.person import split_ror

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
    "IsIdenticalTo",
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
        Number or title of the grant, behind it its DOI or address; "" where none is known.
    ror : str
        The funder's ROR id, "0472cxd90"; "" where none is known.
    """

    funder: str
    award: str = ""
    ror: str = ""


def read_related(text: str) -> Related:
    """Read what a record is related to, as people type it.

    Parameters
    ----------
    text : str
        A relation and an identifier, with a space, "=" or ":" between: "IsCitedBy 10.1038/abc".

    Returns
    -------
    Related
        The relation spelled as DataCite does.

    Raises
    ------
    ParameterError
        There is no such relation, or nothing that it leads to.
    """
    relation, _, identifier = re.sub(r"[\s=:]+", " ", text.strip(), count=1).partition(" ")
    names = {name.lower(): name for name in RELATIONS}
    if relation.lower() not in names or not identifier.strip():
        raise ParameterError(
            f"{text[:80]!r} is no relation and identifier; give RELATION=IDENTIFIER, such as IsCitedBy=10.1038/abc; "
            f"relations are {', '.join(RELATIONS)}"
        )
    return Related(cast(Relation, names[relation.lower()]), identifier.strip())


def write_related(related: Related) -> str:
    """Write what a record is related to so that `read_related` reads the same."""
    return f"{related.relation} {related.identifier}"


def read_funding(text: str) -> Funding:
    """Read who paid, as people type it.

    Parameters
    ----------
    text : str
        A funder, behind it perhaps its ROR id, then a colon and the grant with its DOI or address, as in
        "European Research Council (https://ror.org/0472cxd90): 101000000 https://doi.org/10.3030/101000000"; all but
        the name may be left out.

    Returns
    -------
    Funding
        With a name.

    Raises
    ------
    ParameterError
        There is no name, or the check digits of the ROR id are wrong.
    """
    who, _, award = re.sub(r":(?!//)", "\n", " ".join(text.split()), count=1).partition("\n")
    funder, ror = split_ror(who)
    if not funder:
        raise ParameterError(f"{text[:80]!r} names no funder; write it as European Research Council: 123456")
    return Funding(funder, award.strip(), ror)


def write_funding(funding: Funding) -> str:
    """Write who paid so that `read_funding` reads the same."""
    who = f"{funding.funder} (https://ror.org/{funding.ror})" if funding.ror else funding.funder
    return f"{who}: {funding.award}" if funding.award else who


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
