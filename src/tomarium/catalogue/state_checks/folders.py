"""Folders of records that no row tells of, and what a run, a move or a repair that was stopped has left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import select

from tomarium.catalogue.index_rows import lies_in
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.remove_draft import finish_removal, id_of_rest
from tomarium.catalogue.state_checks.records import draft_left, folder_known
from tomarium.catalogue.state_checks.state_check import AT_ONCE, DRAFT, CheckContext, Fault, StateCheck
from tomarium.catalogue.store import ObjectPath, place_at
from tomarium.catalogue.tables import records, stores
from tomarium.catalogue.upload_filing import owner_who_files
from tomarium.doctor.core.finding import info, warning
from tomarium.errors import FormatError, InputError
from tomarium.pipeline.run.journal import FOLDER as JOURNAL
from tomarium.standards.ro_crate import FILENAME


def run(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    """Look at the folders of the catalogue's own stores, those below its home."""
    if not context.files:
        return
    with context.catalogue.reading() as connection:
        paths = [place_at(row) for row in connection.execute(select(stores.c.address)).scalars()]
    home = context.catalogue.home / "records"
    own = [path for path in paths if not isinstance(path, ObjectPath) and path.is_relative_to(home)]
    for place in dict.fromkeys((home, *own)):
        entries: list[Path] = []
        for entry in _inside(place):
            if entry.name.startswith("."):
                yield from _hidden(context, entry)
            elif entry not in own and entry.is_dir():
                entries.append(entry)
            if len(entries) == AT_ONCE:
                yield from _of_folders(context, place, entries)
                entries = []
        yield from _of_folders(context, place, entries)


def _inside(place: Path) -> Iterator[Path]:
    try:
        with os.scandir(place) as scandir_iterator:
            yield from (place / dir_entry.name for dir_entry in scandir_iterator)
    except FileNotFoundError:
        return


def _hidden(context: CheckContext, entry: Path) -> Iterator[tuple[str, Fault]]:
    if not context.is_settled(entry):
        return
    if DRAFT.fullmatch(entry.name) and entry.is_file():
        yield "draft-left", draft_left(entry, str(entry.parent))
    elif id := id_of_rest(entry):
        description = f"{entry.name}: files of the draft {id}, whose removal was stopped"
        finding = warning(
            str(entry.parent),
            description,
            "no such folder",
            f"tomarium fsck --repair, or: tomarium remove {id}",
        )
        yield "removal-left", Fault(finding, lambda: finish_removal(context.catalogue, entry))
    elif entry.name.endswith(".repair"):

        def remove() -> str:
            shutil.rmtree(entry)
            return "removed"

        description = f"{entry.name}: slabs that `tomarium check --repair` was making when it was stopped"
        finding = warning(
            str(entry.parent), description, "no such folder", "tomarium fsck --repair, then check it again"
        )
        yield "repair-left", Fault(finding, remove)


def _of_folders(context: CheckContext, place: Path, folders: list[Path]) -> Iterator[tuple[str, Fault]]:
    if not folders:
        return
    names = [folder.name for folder in folders]
    own_store = select(stores.c.number).where(stores.c.address == str(place))
    with context.catalogue.reading() as connection:
        asked_for = select(records.c.path).where(lies_in(records.c, names), records.c.store.in_(own_store))
        filed = set(connection.execute(asked_for).scalars())
    for folder in folders:
        if folder.name not in filed and context.is_settled(folder):
            yield from _of_folder(context, folder)


def _of_folder(context: CheckContext, folder: Path) -> Iterator[tuple[str, Fault]]:
    if not (folder / FILENAME).is_file():
        if (folder / JOURNAL).is_dir():
            finding = info(
                str(folder),
                "a run that has not come to its end",
                "a record",
                "give the same command again, which goes on where it was; or remove the folder",
            )
            yield "run-unfinished", Fault(finding)
        elif any(folder.iterdir()) and not any((path / FILENAME).is_file() for path in folder.iterdir()):
            finding = warning(
                str(folder),
                "files without a crate: what a filing or a move that was stopped has left",
                "a record",
                "give the same command again, or remove the folder",
            )
            yield "folder-without-crate", Fault(finding)
        return
    try:
        id = read_record(folder).id
    except (FormatError, InputError) as problem:
        yield "crate-unreadable", Fault(warning(str(folder), str(problem), "a record", "look at its files"))
        return
    path = folder_known(context, id)
    if path is not None and path != folder:
        description = f"a second copy of the record {id}, which lies at {path}"
        mend = f"tomarium store move {id} {path.parent} --remove takes it away after a move; or remove the folder"
        yield (
            "second-copy",
            Fault(info(str(folder), description, "one copy in the catalogue's folders", mend)),
        )
        return
    owner = owner_who_files(context.catalogue.home / "uploads", id)

    def file() -> str:
        if owner is None:
            ingest(context.catalogue, folder)
        else:
            ingest(context.catalogue, folder, reader=owner)
        return f"filed as {id}"

    finding = warning(
        str(folder),
        f"the record {id}, which no row of the index tells of",
        "a record that is filed",
        f"tomarium fsck --repair, or: tomarium ingest {folder}",
    )
    yield "folder-not-filed", Fault(finding, file)


FOLDERS: Final = StateCheck("folders", run)
