"""Other catalogues, and the folders of beamtimes, into this one: one file a source.

A source reads what another catalogue gave away and says what it found: `found.Found`. `compare` says what is new,
what changed there and what somebody changed here; `bring_in` makes it so. No source knows the catalogue.
"""

from __future__ import annotations

from tomarium.importers.found import Source
from tomarium.registry import collect


def sources() -> dict[str, Source]:
    """Return the sources, by the word that users write.

    Returns
    -------
    dict of str to Source
        "icat", "scicat", "hoa", "folder", and those of other packages.
    """
    return collect("importers", Source)
