"""Names of those who are cited, taken apart: family name with its particles, given name, suffix, or an organisation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tomarium.model import Person

_PARTICLES: Final = frozenset(
    {
        "af",
        "al",
        "av",
        "da",
        "das",
        "de",
        "del",
        "della",
        "den",
        "der",
        "des",
        "di",
        "do",
        "dos",
        "du",
        "el",
        "la",
        "las",
    }
    | {"le", "lo", "los", "te", "ten", "ter", "van", "vom", "von", "zu", "zum", "zur", "'t"}
)
_SUFFIXES: Final = frozenset({"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"})
_ORGANISATION: Final = re.compile(
    r"\b(?:universi\w+|instit\w+|team|consorti\w+|collaboration|group|laborator\w+|lab|synchrotron|facility|museum"
    r"|centre|center|society|foundation|department|agency|council|committee|project|hospital|company|gmbh|inc|ltd"
    r"|light source|photon source|network|ministry|academy|programme|program)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Name:
    """A name, taken apart.

    Attributes
    ----------
    family : str
        Family name with what belongs to it ("van der Waals"); the whole name of an organisation.
    given : str
        Given names; "" where there are none.
    suffix : str
        "Jr.", "III"; "" where there is none.
    organisation : bool
        Whether it is no person.
    """

    family: str
    given: str = ""
    suffix: str = ""
    organisation: bool = False

    @property
    def ordered(self) -> str:
        """As a list is sorted by: "van der Waals, Johannes Diderik"."""
        return ", ".join(part for part in (self.family, self.given, self.suffix) if part)

    @property
    def cited(self) -> str:
        """As it is cited: "van der Waals, J. D."."""
        return ", ".join(part for part in (self.family, _initials(self.given), self.suffix) if part)


def name_of(person: Person) -> Name:
    """Take a name apart.

    Parameters
    ----------
    person : Person
        Its name is "Family, Given", "Family, Given, Jr.", "Given Family" or an organisation's.

    Returns
    -------
    Name
        An organisation where the name has no ORCID iD and is one word in capitals ("ESRF") or says what it is
        ("University of …", "… Consortium"). Of "Given Family" the family name is the last word and the particles in
        front of it.
    """
    name = " ".join(person.name.split())
    if not person.orcid and _is_organisation(name):
        return Name(name, organisation=True)
    if "," in name:
        family, *further = (part.strip() for part in name.split(","))
        suffix = further.pop() if len(further) > 1 and further[-1].casefold() in _SUFFIXES else ""
        return Name(family, ", ".join(part for part in further if part), suffix) if family else Name(name)
    words = name.split()
    suffix = words.pop() if len(words) > 2 and words[-1].casefold() in _SUFFIXES else ""
    start = max(len(words) - 1, 0)
    while start > 0 and words[start - 1] in _PARTICLES:
        start -= 1
    return Name(" ".join(words[start:]), " ".join(words[:start]), suffix)


def _is_organisation(name: str) -> bool:
    family, comma, _ = name.partition(",")
    if comma:  # a person of the family College is none, the University of Oxford, Department of … is one
        return " " in family and _ORGANISATION.search(family) is not None
    one_word = re.fullmatch(r"[A-Z][A-Z0-9&+.-]*[A-Z0-9]", name) is not None
    return one_word or (" " in name and _ORGANISATION.search(name) is not None)


def _initials(given: str) -> str:
    """Shorten given names: "Wilhelm Conrad" to "W. C.", "Jean-Pierre" to "J.-P."."""
    words = given.replace(".", ". ").split()
    return " ".join(
        "-".join(f"{part[0]}." for part in word.split("-") if part) for word in words if word.strip("-")
    )
