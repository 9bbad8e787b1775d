"""A record that a command has made, filed in the catalogue as one of a specimen, with where it lies in another."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from tomarium.catalogue import queries
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entities import demand_entity
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.link_edit import file_link
from tomarium.catalogue.reader import Reader
from tomarium.errors import InputError
from tomarium.model import Link, Record
from tomarium.model.link import rows

SAME_VOXELS: Final = "it was made of these voxels: both have the same axes"


def demand_specimen(catalogue: Catalogue, reader: Reader, specimen: str) -> None:
    """Refuse what is no specimen that the reader may see, before anything is made for it; raises InputError."""
    with catalogue.reading() as connection:
        held_entity = demand_entity(connection, reader, specimen)
    if held_entity.entity.kind != "specimen":
        raise InputError(
            f"{specimen[:80]}: is a {held_entity.entity.kind}; give the identifier of a specimen"
        )


def file_in_specimen(catalogue: Catalogue, reader: Reader, folder: Path, specimen: str) -> Record:
    """File a record and say of which specimen it is.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the record becomes.
    folder : Path
        Of the record; it stays where it is.
    specimen : str
        Identifier of a specimen, as `demand_specimen` asks for.

    Returns
    -------
    Record
        As it is now.
    """
    record = ingest(catalogue, folder, checksums=False, reader=reader)
    return edit(catalogue, reader, record.id, Changes(specimen=specimen))


def link_same_voxels(catalogue: Catalogue, reader: Reader, record: str, of: str) -> Link | None:
    """File that the volume of a record lies where that lies of which it was made, voxel on voxel.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who files it.
    record, of : str
        Identifiers of both records.

    Returns
    -------
    Link or None
        Known without uncertainty. None where the catalogue has no record `of`.
    """
    with catalogue.reading() as connection:
        if queries.folder_of(connection, of) is None:
            return None
    ends = f"records/{record}", f"records/{of}"
    exact = rows(np.zeros((6, 6)))
    return file_link(
        catalogue, reader, Link(*ends, rows(np.eye(4)), exact, kind="cut-from", method=SAME_VOXELS)
    )
