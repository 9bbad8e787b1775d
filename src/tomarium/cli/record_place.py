"""Where a record lies that was named by its identifier, in place of its folder."""

from __future__ import annotations

from pathlib import Path

from tomarium.errors import InputError


def folder_of_record(id: str, catalogue: Path | str | None) -> Path:
    """Find the folder of a record; raises InputError where there is no such record, or no catalogue."""
    from tomarium.catalogue import queries
    from tomarium.catalogue.catalogue import open_catalogue

    missing = f"{id}: there is no such file or folder"
    try:
        opened = open_catalogue(catalogue, make=False)
    except InputError as problem:
        raise InputError(
            f"{missing}, and no catalogue in which it could be a record ({problem})"
        ) from problem
    with opened, opened.reading() as connection:
        folder = queries.folder_of(connection, id)
    if folder is None:
        raise InputError(
            f"{missing}, and no record of this identifier in {opened.name}; look with `tomarium search`"
        )
    return folder


def path_or_record(path: Path) -> Path:
    """Return the folder of a record of the user's own catalogue where `path` is its identifier, else `path`."""
    if len(path.parts) != 1 or path.suffix or path.exists():
        return path
    from tomarium.catalogue.record_folder import ID

    if not ID.fullmatch(path.name):
        return path
    try:
        return folder_of_record(path.name, None)
    except InputError:
        return path  # what opens it says that it is not there, and what lies near
