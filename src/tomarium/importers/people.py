"""People of other catalogues as they are cited here."""

from __future__ import annotations

import re

from tomarium.importers.found import Notes
from tomarium.model import Person
from tomarium.model.person import is_orcid, is_ror

_ORCID = re.compile(r"(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])$")
_ROR = re.compile(r"(0[a-hj-km-np-tv-z0-9]{6}\d{2})$")


def person_of(name: str, orcid: str, affiliation: str, ror: str, notes: Notes) -> Person | None:
    """Make a person of what another catalogue tells.

    Parameters
    ----------
    name : str
        "Lovelace, Ada"; None is returned where it is empty.
    orcid, ror : str
        Bare, as addresses or behind "ORCID:" and "ROR:"; one with wrong check digits is noted and left out.
    affiliation : str
        Name of an organisation.
    notes : Notes
        Told of identifiers that are none.
    """
    name = " ".join(name.replace("@", " ").split())
    if not name:
        return None
    match, home = _ORCID.search(orcid.strip()), _ROR.search(ror.strip())
    if orcid.strip() and not (match and is_orcid(match[1].upper())):
        notes.unknown[f"{orcid.strip()}, no ORCID iD"] += 1
        match = None
    if ror.strip() and not (home and is_ror(home[1])):
        notes.unknown[f"{ror.strip()}, no ROR id"] += 1
        home = None
    where = " ".join(affiliation.split())
    return Person(name, match[1].upper() if match else "", where, home[1] if home else "")
