"""PaNET, the ontology of photon and neutron techniques: the terms of imaging, their names and what is narrower.

`panet.csv` is an excerpt of PaNET (http://purl.org/pan-science/PaNET/PaNET.owl, as of 2025-10-21), by the authors
of PaNET, licensed CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/). It holds imaging, tomography, microscopy
and what these are made of. Changed here: labels stand without their ending "-based techniques", terms that PaNET
defines by a specifier ("x-ray" is a "photon") stand below the term of the broader specifier, and definitions are left
out. Its column `is` tells what the broader terms are: "within" all of them, or "defined" by them, so that
whatever lies in all of them lies in the term too.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from tomarium.errors import ParameterError

ADDRESS: Final = "http://purl.org/pan-science/PaNET/"
"""What a term's id is appended to, to make its address."""
_ENDING: Final = "-based techniques"


@dataclass(frozen=True)
class Term:
    """One technique of PaNET.

    Attributes
    ----------
    id : str
        "PaNET01207".
    label : str
        "x-ray tomography".
    other_names : tuple of str
        "CT scan" …
    broader : tuple of str
        Ids of the terms that PaNET itself names as broader.
    defined : bool
        Whether all that lies in every broader term lies in this one too.
    """

    id: str
    label: str
    other_names: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    defined: bool = False


@cache
def terms() -> dict[str, Term]:
    """Read the terms that are known here, by their ids."""
    with (files("tomarium.standards") / "panet.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    return {
        row["id"]: Term(
            id=row["id"],
            label=row["label"],
            other_names=tuple(name for name in row["other_names"].split("|") if name),
            broader=tuple(row["broader"].split()),
            defined=row["is"] == "defined",
        )
        for row in rows
    }


def label_of(id: str) -> str:
    """Name a technique.

    Parameters
    ----------
    id : str
        "PaNET01207".

    Returns
    -------
    str
        "x-ray tomography"; the id itself where the term is not in the excerpt.
    """
    term = terms().get(id)
    return term.label if term else id


def address_of(id: str) -> str:
    """Return the address of a technique, "http://purl.org/pan-science/PaNET/PaNET01207"."""
    return ADDRESS + quote(id, safe="")


def id_of(name: str) -> str:
    """Find the technique of a name.

    Parameters
    ----------
    name : str
        Its id, its address, its label or another of its names, in any case.

    Returns
    -------
    str
        Its id, "PaNET01207".

    Raises
    ------
    ParameterError
        No term of the excerpt is called so.
    """
    text = " ".join(name.split()).removeprefix(ADDRESS)
    label = text.casefold().removesuffix(_ENDING)
    ids_by_name = _names()
    if label in ids_by_name:
        return ids_by_name[label]
    near = get_close_matches(label, ids_by_name, n=3, cutoff=0.6)
    hint = (
        f"near are {', '.join(f'{terms()[ids_by_name[text]].label!r} ({ids_by_name[text]})' for text in near)}; "
        if near
        else ""
    )
    raise ParameterError(
        f"{name[:80]!r} is no technique of PaNET that is known here; {hint}the terms are those of imaging and "
        f"tomography, listed at {ADDRESS}PaNET.owl"
    )


def narrower(id: str) -> frozenset[str]:
    """Find every technique that a technique comprises.

    Parameters
    ----------
    id : str
        "PaNET01207".

    Returns
    -------
    frozenset of str
        Ids, its own among them: with "x-ray tomography" also "x-ray microtomography", which PaNET
        puts below "microtomography" and "x-ray probe" alone. Of an unknown id only itself.
    """
    return frozenset({id}) | {text for text, above in _broader().items() if id in above}


def broader(id: str) -> frozenset[str]:
    """Find every technique that a technique belongs to, its own id among them."""
    return _broader().get(id, frozenset({id}))


@cache
def _names() -> dict[str, str]:
    ids_by_name: dict[str, str] = {}
    for term in terms().values():
        for name in (term.id, term.label, *term.other_names):
            ids_by_name.setdefault(name.casefold().removesuffix(_ENDING), term.id)
    return ids_by_name


@cache
def _broader() -> dict[str, frozenset[str]]:
    """Close "is broader": from term to term, and into each defined term whose broader terms are all reached."""
    known_terms = terms()
    defined = [term for term in known_terms.values() if term.defined]
    broader = {id: {id, *term.broader} for id, term in known_terms.items()}
    changed = True
    while changed:
        changed = False
        for above in broader.values():
            more = set().union(*(broader[text] for text in above))
            more |= {term.id for term in defined if above.issuperset(term.broader)}
            if not more <= above:
                above |= more
                changed = True
    return {id: frozenset(above) for id, above in broader.items()}
