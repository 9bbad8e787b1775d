"""Claiming that a specimen is the same sample as one elsewhere, withdrawing that, and noting what the other says."""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import Connection, insert, update

from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.dois import ask_for_entity
from tomarium.catalogue.entity_edit import demand_mine
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.same_sample import LONGEST, claim_of, read_target
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tables import entities, same_sample_claims
from tomarium.errors import InputError, ParameterError
from tomarium.model.same_sample import CLAIMED, WITHDRAWN, SameSampleClaim

_CLAIMS: Final = same_sample_claims.c


def claim_same(
    catalogue: Catalogue, reader: Reader, specimen: str, target: str, evidence: str
) -> SameSampleClaim:
    """Claim that a specimen is the same sample as one that is described elsewhere.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the specimen is.
    specimen : str
        Its identifier.
    target : str
        Address of the page of the other, or its DOI or IGSN.
    evidence : str
        How that is known, in one line.

    Returns
    -------
    SameSampleClaim
        As it was written. Claimed again, it has the new evidence, and the other side has not been asked.

    Raises
    ------
    InputError
        There is no such specimen, the other is none or one of this catalogue, or nothing is said for it.
    NotAllowed
        The specimen is not the reader's.
    """
    place = read_target(target)
    evidence_line = " ".join(evidence.split())
    if not evidence_line or len(evidence_line) > LONGEST:
        raise ParameterError(
            f"say in one line how it is known that {specimen} is the same sample, of at most {LONGEST} characters"
        )
    with catalogue.writing() as connection:
        _demand_specimen(connection, reader, specimen)
        home = all_settings(connection)["address"].rstrip("/")
        if home and place.startswith(f"{home}/"):
            raise InputError(
                f"{place}: is of this catalogue; say it with: tomarium entity link {specimen} --same-as ID"
            )
        values = {
            "evidence": evidence_line,
            "who": reader.name,
            "moment_utc": time.time(),
            "state": CLAIMED,
            "checked_utc": None,
            "told": "",
            "withdrawn": "",
        }
        condition = (_CLAIMS.specimen == specimen) & (_CLAIMS.target == place)
        if not connection.execute(update(same_sample_claims).where(condition).values(values)).rowcount:
            connection.execute(insert(same_sample_claims).values(specimen=specimen, target=place, **values))
        note(connection, reader, "claim same sample", told=[specimen, place, evidence_line])
        _changed(connection, specimen)
        return claim_of(connection, specimen, place)


def withdraw_claim(
    catalogue: Catalogue, reader: Reader, specimen: str, target: str, reason: str
) -> SameSampleClaim:
    """Withdraw a claim; it stays to be read, with the reason.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the specimen is.
    specimen, target : str
        As they were claimed.
    reason : str
        Why, in one line.

    Returns
    -------
    SameSampleClaim
        As it is now.

    Raises
    ------
    InputError
        There is no such claim, it is withdrawn already, or no reason is given.
    NotAllowed
        The specimen is not the reader's.
    """
    place, reason_line = read_target(target), " ".join(reason.split())
    if not reason_line or len(reason_line) > LONGEST:
        raise ParameterError(f"say in one line why the claim is withdrawn, of at most {LONGEST} characters")
    with catalogue.writing() as connection:
        _demand_specimen(connection, reader, specimen)
        claim = claim_of(connection, specimen, place)
        if claim.state == WITHDRAWN:
            raise InputError(f"{specimen}: that it is {place} was withdrawn already: {claim.withdrawn}")
        condition = (_CLAIMS.specimen == specimen) & (_CLAIMS.target == place)
        connection.execute(
            update(same_sample_claims).where(condition).values(state=WITHDRAWN, withdrawn=reason_line)
        )
        note(connection, reader, "withdraw same sample", told=[specimen, place, reason_line])
        _changed(connection, specimen)
        return claim_of(connection, specimen, place)


def note_checked(
    catalogue: Catalogue, reader: Reader, claim: SameSampleClaim, state: str, told: str
) -> SameSampleClaim:
    """Write what the other side of a claim answered; one that was withdrawn meanwhile stays withdrawn.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asked it.
    claim : SameSampleClaim
        As it was when the other side was asked.
    state : str
        "claimed", "confirmed" or "not-reachable".
    told : str
        What it answered, in a sentence.

    Returns
    -------
    SameSampleClaim
        As it is now.
    """
    condition = (
        (_CLAIMS.specimen == claim.specimen) & (_CLAIMS.target == claim.target) & (_CLAIMS.state != WITHDRAWN)
    )
    values = {"state": state, "told": told[:LONGEST], "checked_utc": time.time()}
    with catalogue.writing() as connection:
        connection.execute(update(same_sample_claims).where(condition).values(values))
        if state != claim.state:
            note(
                connection,
                reader,
                f"same sample {state}",
                told=[claim.specimen, claim.target, told[:LONGEST]],
            )
        return claim_of(connection, claim.specimen, claim.target)


def _demand_specimen(connection: Connection, reader: Reader, id: str) -> None:
    held_entity = demand_mine(connection, reader, id)
    if held_entity.entity.kind != "specimen":
        raise InputError(
            f"{id}: is a {held_entity.entity.kind}; only specimens are claimed to be the same sample"
        )


def _changed(connection: Connection, specimen: str) -> None:
    connection.execute(update(entities).where(entities.c.id == specimen).values(changed_utc=time.time()))
    ask_for_entity(connection, specimen, all_settings(connection)["address"])
