"""Facets: what many records have in common, by which they are filtered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from tomarium.errors import ParameterError
from tomarium.model import Record
from tomarium.standards.panet import label_of

# name in addresses → label for people
FACETS: Final[dict[str, str]] = {
    "technique": "Technique",
    "instrument": "Instrument",
    "facility": "Facility",
    "proposal": "Proposal",
    "taxon": "Taxon",
    "access": "Access",
    "holds": "Holds",
    "licence": "Licence",
    "year": "Year",
    "state": "State",
    "catalogue": "Catalogue",
}
CATALOGUE: Final = "catalogue"
"""Facet of what was harvested from other catalogues: the title of its source."""
HERE: Final = "here"
"""Value of that facet for the records of this catalogue, which no set of facets has."""
ACCESS: Final = "access"
"""Facet of what is published: whether anybody may have its files at the moment of the question."""
OPEN: Final = "open"
EMBARGO: Final = "embargo"
ACCESS_WORDS: Final[dict[str, str]] = {OPEN: "open now", EMBARGO: "under embargo"}
"""Values of that facet → words for people; what is not published, or was withdrawn, has none."""
NO_LICENCE: Final = "none stated"
"""Value of the facet "licence" for records of this catalogue that state none."""
HOLDS: Final[dict[str, str]] = {
    "volume": "volume",
    "projections": "projections",
    "image": "image or map",
    "mesh": "mesh, as for printing",
    "table": "table",
    "plain card": "card in plain words",
}
"""Values of the facet "holds" → words for people: kinds of parts that somebody looks for, and the card for pupils."""
AS_MEASURED: Final = "instrument as measured"
"""Facet that nobody filters by: the instrument's name in the parameters, where the record is linked to another."""
SERIES: Final = "series"
"""Facet that nobody filters by: the series that a record is a moment of."""

_LONGEST: Final = 200  # letters of a value; longer texts are no names

Filters = Mapping[str, tuple[str, ...]]
NO_FILTERS: Final[Filters] = MappingProxyType({})


def facets_of(record: Record) -> tuple[tuple[str, str], ...]:
    """Tell the facets of a record but its state and its access.

    Parameters
    ----------
    record : Record
        Any.

    Returns
    -------
    tuple of (str, str)
        Names and values, sorted; a record may have several techniques.
    """
    facets = {("year", str(record.created.year)), ("licence", record.licence or NO_LICENCE)}
    facets |= {("holds", part.kind) for part in record.parts if part.kind in HOLDS}
    facets.add(("holds", "plain card" if record.card.told else ""))
    facets |= {("technique", technique) for technique in record.techniques}
    technique, labels = _text(record, "technique"), map(label_of, record.techniques)
    facets.add(("technique", "" if technique.casefold() in map(str.casefold, labels) else technique))
    instrument, proposal, specimen = map(record.entity, ("instrument", "proposal", "specimen"))
    instrument_name, typed = instrument.name if instrument else "", _instrument(record)
    facets.add(("instrument", instrument_name or typed))
    # What the file says of its instrument goes on to count for the scientists of that instrument.
    facets.add((AS_MEASURED, typed if instrument_name and instrument_name != typed else ""))
    at = (str(entity.facts.get("facility", "")) for entity in (instrument, proposal) if entity)
    facets.add(("facility", next(filter(None, at), "") or _text(record, "facility")))
    facets.add(("proposal", proposal.name if proposal else ""))
    facets.add((SERIES, _text(record, SERIES)))
    facets.add(("taxon", str(specimen.facts.get("taxon", "")) if specimen else ""))
    return tuple(sorted((name, value) for name, value in facets if 0 < len(value) <= _LONGEST))


def _instrument(record: Record) -> str:
    return _text(record, "instrument") or _text(record, "beamline")


def _text(record: Record, key: str) -> str:
    value = record.parameters.get(key)
    return " ".join(value.value.split()) if value and isinstance(value.value, str) else ""


def spell(facets: Iterable[tuple[str, str]]) -> str:
    """Write a set of facets as it is kept."""
    return json.dumps(list(facets), ensure_ascii=False)


def read_filters(filters: Mapping[str, str | Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Check what is asked of facets.

    Parameters
    ----------
    filters : Mapping of str to str or iterable of str
        Name of a facet → one value, or several of which any will do.

    Returns
    -------
    dict of str to tuple of str
        Those that ask for something.

    Raises
    ------
    ParameterError
        There is no such facet.
    """
    read = {}
    for name, values in filters.items():
        if name not in FACETS:
            near = get_close_matches(name, FACETS, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ParameterError(f"{name!r} is no facet; {meant}There are {', '.join(FACETS)}")
        texts = (values,) if isinstance(values, str) else tuple(values)
        if chosen := tuple(dict.fromkeys(value for value in texts if value)):
            read[name] = chosen
    return read
