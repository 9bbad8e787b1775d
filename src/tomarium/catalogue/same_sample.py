"""Claims that a specimen is the same sample as one of another catalogue, or one that has a DOI or an IGSN.

A claim is one side's word until the other side says the same. The other side is asked by `portal.check_claims`, where
somebody calls it; here is only what the catalogue holds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from tomarium.catalogue import form_words
from tomarium.catalogue.entities import demand_entity
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tables import entities, same_sample_claims
from tomarium.errors import InputError, ParameterError
from tomarium.model.same_sample import WITHDRAWN, SameSampleClaim
from tomarium.model.sentence import Sentence
from tomarium.standards.identifiers import classify, place_of

LONGEST: Final = 2000
_CLAIMS: Final = same_sample_claims.c


def claims_of(connection: Connection, reader: Reader, specimen: str) -> list[SameSampleClaim]:
    """List the claims of a specimen, those that stand first, by their target; InputError where it is not seen."""
    demand_entity(connection, reader, specimen)
    return standing_claims(connection, specimen) + [
        _claim(row)
        for row in connection.execute(
            _select_claims(_CLAIMS.specimen == specimen, _CLAIMS.state == WITHDRAWN)
        )
    ]


def standing_claims(connection: Connection, specimen: str = "") -> list[SameSampleClaim]:
    """List the claims that are not withdrawn, of one specimen or of all, whoever may see them."""
    of_it = (_CLAIMS.specimen == specimen,) if specimen else ()
    return [_claim(row) for row in connection.execute(_select_claims(_CLAIMS.state != WITHDRAWN, *of_it))]


def own_names(connection: Connection, specimen: str, home: str = "") -> list[str]:
    """List the addresses by which others may name a specimen: its page, and that of its DOI.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    specimen : str
        Its identifier.
    home : str
        Address of the portal; that of the settings where it is "".

    Returns
    -------
    list of str
        Empty where nobody elsewhere can name it: the portal has no address, and the specimen no DOI.
    """
    place = (home or all_settings(connection)["address"]).rstrip("/")
    doi = connection.execute(select(entities.c.doi).where(entities.c.id == specimen)).scalar_one_or_none()
    return [
        *([f"{place}/specimens/{specimen}"] if place else []),
        *([place_of(doi)] if doi else []),
    ]


def read_target(text: str) -> str:
    """Read the address, DOI or IGSN of something elsewhere, as its address; ParameterError where it is none."""
    place = place_of(text)
    if not place or len(place) > LONGEST:
        raise ParameterError(Sentence(form_words.NO_ADDRESS_DOI_IGSN, text=repr(text[:80])))
    identifier, kind = classify(text)
    if kind == "DOI":  # upper and lower case are the same in a DOI
        return place_of(identifier.lower())
    return place.partition("#")[0].rstrip("/")


def _select_claims(*conditions: Any) -> Any:
    return select(same_sample_claims).where(*conditions).order_by(_CLAIMS.specimen, _CLAIMS.target)


def claim_of(connection: Connection, specimen: str, target: str) -> SameSampleClaim:
    """Return a claim, withdrawn or not; InputError where nobody made it."""
    row = connection.execute(
        _select_claims(_CLAIMS.specimen == specimen, _CLAIMS.target == target)
    ).one_or_none()
    if row is None:
        raise InputError(f"{specimen}: nobody claimed here that it is the same sample as {target[:200]}")
    return _claim(row)


def _claim(row: Row[Any]) -> SameSampleClaim:
    return SameSampleClaim(
        row.specimen,
        row.target,
        row.evidence,
        row.who,
        _day(row.moment_utc),
        row.state,
        _day(row.checked_utc) if row.checked_utc is not None else "",
        row.told,
        row.withdrawn,
    )


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).replace(microsecond=0).isoformat()
