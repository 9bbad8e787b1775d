"""Licences of data by their SPDX identifiers: name, address, whether they are open, and what they ask of people.

Names and identifiers are those of the SPDX License List (https://spdx.org/licenses/); whether a licence is open
is by the Open Definition 2.1 (https://opendefinition.org/licenses/), which refuses bans of commercial use and of
changed versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final

from tomarium.errors import ParameterError


@dataclass(frozen=True)
class Licence:
    """One licence.

    Attributes
    ----------
    id : str
        SPDX identifier, "CC-BY-4.0".
    name : str
        Its full name.
    address : str
        Where its text stands.
    open : bool
        Whether it is open by the Open Definition.
    told : str
        One line for people.
    for_data : bool
        Whether it was made for data or content; the others are made for programs.
    """

    id: str
    name: str
    address: str
    open: bool
    told: str
    for_data: bool = True


_CC: Final = "https://creativecommons.org/licenses"
_ODC: Final = "https://opendatacommons.org/licenses"
_SPDX: Final = "https://spdx.org/licenses"
_PROGRAM: Final = "Anybody may use, change and pass on these, if the copyright notice stays with them."

LICENCES: Final[dict[str, Licence]] = {
    licence.id: licence
    for licence in (
        Licence(
            "CC0-1.0",
            "Creative Commons Zero v1.0 Universal",
            "https://creativecommons.org/publicdomain/zero/1.0/",
            True,
            "Anybody may use these data for anything; to cite them is good practice, but not demanded.",
        ),
        Licence(
            "CC-BY-4.0",
            "Creative Commons Attribution 4.0 International",
            f"{_CC}/by/4.0/",
            True,
            "Anybody may use, change and pass on these data, if they name the creators and say what they changed.",
        ),
        Licence(
            "CC-BY-SA-4.0",
            "Creative Commons Attribution Share Alike 4.0 International",
            f"{_CC}/by-sa/4.0/",
            True,
            "As CC-BY-4.0, and what is made of these data must be passed on under the same licence.",
        ),
        Licence(
            "CC-BY-NC-4.0",
            "Creative Commons Attribution Non Commercial 4.0 International",
            f"{_CC}/by-nc/4.0/",
            False,
            "As CC-BY-4.0, but not for commercial purposes.",
        ),
        Licence(
            "CC-BY-ND-4.0",
            "Creative Commons Attribution No Derivatives 4.0 International",
            f"{_CC}/by-nd/4.0/",
            False,
            "Anybody may pass on these data unchanged, if they name the creators; what was made of them must stay "
            "unpublished.",
        ),
        Licence(
            "CC-BY-NC-SA-4.0",
            "Creative Commons Attribution Non Commercial Share Alike 4.0 International",
            f"{_CC}/by-nc-sa/4.0/",
            False,
            "As CC-BY-SA-4.0, but not for commercial purposes.",
        ),
        Licence(
            "CC-BY-NC-ND-4.0",
            "Creative Commons Attribution Non Commercial No Derivatives 4.0 International",
            f"{_CC}/by-nc-nd/4.0/",
            False,
            "As CC-BY-ND-4.0, and not for commercial purposes.",
        ),
        Licence(
            "PDDL-1.0",
            "Open Data Commons Public Domain Dedication & License 1.0",
            f"{_ODC}/pddl/1-0/",
            True,
            "Anybody may use this database for anything.",
        ),
        Licence(
            "ODC-By-1.0",
            "Open Data Commons Attribution License v1.0",
            f"{_ODC}/by/1-0/",
            True,
            "Anybody may use, change and pass on this database, if they say where it is from.",
        ),
        Licence(
            "ODbL-1.0",
            "Open Data Commons Open Database License v1.0",
            f"{_ODC}/odbl/1-0/",
            True,
            "As ODC-By-1.0, and a changed database must be passed on under the same licence.",
        ),
        Licence("MIT", "MIT License", f"{_SPDX}/MIT", True, _PROGRAM, for_data=False),
        Licence(
            "BSD-2-Clause",
            'BSD 2-Clause "Simplified" License',
            f"{_SPDX}/BSD-2-Clause",
            True,
            _PROGRAM,
            for_data=False,
        ),
        Licence(
            "BSD-3-Clause",
            'BSD 3-Clause "New" or "Revised" License',
            f"{_SPDX}/BSD-3-Clause",
            True,
            f"{_PROGRAM} Nobody may advertise with the names of their makers.",
            for_data=False,
        ),
        Licence(
            "Apache-2.0",
            "Apache License 2.0",
            "https://www.apache.org/licenses/LICENSE-2.0",
            True,
            f"{_PROGRAM} Changed files must say so; patents of the makers are licensed too.",
            for_data=False,
        ),
    )
}

# What people write, squeezed to letters and digits, where neither identifier, name nor address says it.
_ALSO: Final = {
    "cc0": "CC0-1.0",
    "cczero": "CC0-1.0",
    "creativecommonszero": "CC0-1.0",
    "odbl": "ODbL-1.0",
    "odcby": "ODC-By-1.0",
    "pddl": "PDDL-1.0",
    "mitlicence": "MIT",
    "apache2": "Apache-2.0",
    "apachelicence20": "Apache-2.0",
    "bsd3": "BSD-3-Clause",
    "bsd2": "BSD-2-Clause",
}


def read_licence(text: str) -> str:
    """Read a licence as people write one.

    Parameters
    ----------
    text : str
        "CC-BY-4.0", "cc by 4.0", "Creative Commons Attribution 4.0 International", the licence's address.

    Returns
    -------
    str
        Its SPDX identifier; "" for an empty text.

    Raises
    ------
    ParameterError
        It is none of the table, or says no version and so is none in particular; near ones are named.
    """
    if not text.strip():
        return ""
    squeezed = _squeeze(text)
    spellings = _spellings()
    if squeezed in spellings:
        return spellings[squeezed]
    near = [spellings[text] for text in get_close_matches(squeezed, spellings, n=6, cutoff=0.6)]
    near += [id for id in LICENCES if squeezed and _squeeze(id).startswith(squeezed)]
    suggestions = ", ".join(
        list(dict.fromkeys(near))[:4] or [id for id, licence in LICENCES.items() if licence.for_data]
    )
    raise ParameterError(
        f"{text[:80]!r} is no licence that is known here, with its version; give an SPDX identifier, "
        f"such as {suggestions}"
    )


def address_of(licence: str) -> str:
    """Tell where the text of a licence stands.

    Parameters
    ----------
    licence : str
        SPDX identifier, or any text that a record holds as its licence.

    Returns
    -------
    str
        An address; "" where the text is neither an identifier nor an address.
    """
    if licence in LICENCES:
        return LICENCES[licence].address
    if re.fullmatch(r"https?://[^\s\"<>]+", licence):
        return licence
    return f"{_SPDX}/{licence}" if is_identifier(licence) else ""


def is_identifier(licence: str) -> bool:
    """Tell whether a text has the form of an SPDX identifier, such as "GPL-3.0-or-later"."""
    return bool(re.fullmatch(r"[A-Za-z0-9.+-]+", licence)) and any(sign in licence for sign in "-.0123456789")


@cache
def _spellings() -> dict[str, str]:
    spellings: dict[str, str] = {}
    for licence in LICENCES.values():
        for text in (licence.id, licence.name, licence.address, f"{_SPDX}/{licence.id}"):
            spellings[_squeeze(text)] = licence.id
            spellings[_squeeze(text).removesuffix("international").removesuffix("universal")] = licence.id
    return {**spellings, **_ALSO}


def _squeeze(text: str) -> str:
    """Keep letters and digits alone, so that spaces, hyphens and the spelling of "licence" do not matter."""
    text = re.sub(r"^https?://(?:www\.)?", "", text.strip().casefold())
    text = re.sub(r"(?:/legalcode|/deed)(?:\.[a-z-]+)?/?$|\.html$", "", text).replace("license", "licence")
    text = re.sub(r"\bv(?:ersion)?\s?(?=\d)", "", text)
    return re.sub(r"[^a-z0-9]", "", text)
