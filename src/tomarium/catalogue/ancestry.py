"""What a record was made of, and what that was made of, as far as a reader may see it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import ID, read_record
from tomarium.errors import TomariumError
from tomarium.model import Record

MOST: Final = 8
"""Records that are told at most; a longer way begins in the middle."""


def ancestors_of(catalogue: Catalogue, reader: Reader, record: Record) -> tuple[Record, ...]:
    """Follow a record back to the one that all came from.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks; the way ends at a record that this reader may not see.
    record : Record
        Where it begins.

    Returns
    -------
    tuple of Record
        The first one of all in front, the one that the record was made of at the end; of several that it was made of,
        as of volumes that were stitched, none, for they are no way but a tree.
    """
    records: list[Record] = []
    followed = {record.id}
    current = record
    with catalogue.reading() as connection:
        while len(records) < MOST:
            origins = [
                related.identifier for related in current.related if related.relation == "IsDerivedFrom"
            ]
            if len(origins) != 1 or not ID.fullmatch(origins[0]) or origins[0] in followed:
                break
            place = place_of(connection, reader, origins[0])
            if place is None:
                break
            earlier = None
            with suppress(TomariumError, OSError):
                earlier = read_record(place.folder)
            if earlier is None:
                break
            followed.add(earlier.id)
            records.append(earlier)
            current = earlier
    return tuple(reversed(records))
