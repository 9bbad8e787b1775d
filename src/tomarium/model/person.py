"""People as they are cited: a name, an ORCID iD, an affiliation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tomarium.errors import ParameterError

_ORCID: Final = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])\b")
_ROR: Final = re.compile(r"\(?\s*(?:https?://)?ror\.org/(0[a-hj-km-np-tv-z0-9]{6}[0-9]{2})\s*\)?")
_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
FORM: Final = '"Lovelace, Ada 0000-0002-1825-0097 @ ESRF (https://ror.org/02550n020)"'


@dataclass(frozen=True)
class Person:
    """Somebody who is cited.

    Attributes
    ----------
    name : str
        As it is cited: "Lovelace, Ada", or "Ada Lovelace".
    orcid : str
        ORCID iD, "0000-0002-1825-0097"; "" where none is known.
    affiliation : str
        Name of an organisation, "" where none is known.
    ror : str
        The organisation's ROR id, "02550n020"; "" where none is known.
    """

    name: str
    orcid: str = ""
    affiliation: str = ""
    ror: str = ""

    @property
    def family_name(self) -> str:
        """What stands before the comma, or the last word."""
        family, comma, _ = self.name.partition(",")
        return family.strip() if comma else self.name.rpartition(" ")[2]

    @property
    def given_name(self) -> str:
        """What stands behind the comma, or all words but the last."""
        _, comma, given_names = self.name.partition(",")
        return given_names.strip() if comma else self.name.rpartition(" ")[0]


def read_person(text: str) -> Person:
    """Read a person as people type one.

    Parameters
    ----------
    text : str
        A name, then what is known: an ORCID iD anywhere, an affiliation behind "@", its ROR id anywhere behind it, as
        in "Lovelace, Ada 0000-0002-1825-0097 @ ESRF (https://ror.org/02550n020)".

    Returns
    -------
    Person
        With a name.

    Raises
    ------
    ParameterError
        There is no name, or the check digits of the ORCID iD or of the ROR id are wrong.
    """
    who, _, where = text.partition("@")
    orcid = _ORCID.search(who)
    name = _tidy(who[: orcid.start()] + who[orcid.end() :] if orcid else who)
    if not name:
        raise ParameterError(
            f"{text[:80]!r} names nobody; write a person as {FORM}; all but the name may be left out"
        )
    orcid_id = orcid[1].upper() if orcid else ""
    if orcid_id and not is_orcid(orcid_id):
        raise ParameterError(
            f"{orcid_id} is no ORCID iD: its last digit does not fit the others; check it at orcid.org"
        )
    return Person(name, orcid_id, *split_ror(where))


def split_ror(text: str) -> tuple[str, str]:
    """Part the name of an organisation from its ROR id.

    Parameters
    ----------
    text : str
        "ESRF (https://ror.org/02550n020)"; either may be left out.

    Returns
    -------
    name, ror : str
        "ESRF" and "02550n020"; "" for what is not there.

    Raises
    ------
    ParameterError
        The check digits of the ROR id are wrong.
    """
    ror = _ROR.search(text)
    if ror and not is_ror(ror[1]):
        raise ParameterError(
            f"{ror[1]} is no ROR id: its last two digits do not fit the others; check it at ror.org"
        )
    return _tidy(text[: ror.start()] + text[ror.end() :] if ror else text), ror[1] if ror else ""


def write_person(person: Person) -> str:
    """Write a person so that `read_person` reads the same.

    Parameters
    ----------
    person : Person
        Somebody.

    Returns
    -------
    str
        "Lovelace, Ada 0000-0002-1825-0097 @ ESRF (https://ror.org/02550n020)"; what is not known is left out.
    """
    ror = f"(https://ror.org/{person.ror})" if person.ror else ""
    where = " ".join(filter(None, (person.affiliation, ror)))
    return " ".join(filter(None, (person.name, person.orcid, f"@ {where}" if where else "")))


def is_orcid(text: str) -> bool:
    """Tell whether a text is an ORCID iD with the right check digit.

    Parameters
    ----------
    text : str
        "0000-0002-1825-0097".

    Returns
    -------
    bool
        Sixteen digits in fours, the last of them the check digit by ISO 7064, MOD 11-2.
    """
    if not re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", text):
        return False
    total = 0
    for digit in text.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == text[-1]


def is_ror(text: str) -> bool:
    """Tell whether a text is a ROR id with the right check digits.

    Parameters
    ----------
    text : str
        "02550n020".

    Returns
    -------
    bool
        A zero, six of Crockford's 32 digits, and two check digits by ISO 7064, MOD 97-10, of the number that these say.
    """
    if not re.fullmatch(r"0[a-hj-km-np-tv-z0-9]{6}\d{2}", text):
        return False
    number = 0
    for letter in text[1:7]:
        number = number * 32 + _CROCKFORD.index(letter)
    return 98 - number * 100 % 97 == int(text[7:])


def _tidy(text: str) -> str:
    return " ".join(text.replace("()", " ").split()).strip(" ,;<>")
