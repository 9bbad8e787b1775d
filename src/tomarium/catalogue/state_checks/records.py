"""Rows of the index against the folders they tell of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row, select

from tomarium.catalogue import queries
from tomarium.catalogue.checksums import MANIFEST
from tomarium.catalogue.dois import ask_for_update
from tomarium.catalogue.ingest import row_of, save, state_of
from tomarium.catalogue.life import address_of
from tomarium.catalogue.record_folder import read_record, verify
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.state_checks.state_check import DRAFT, CheckContext, Fault, StateCheck, all_records
from tomarium.catalogue.store import ObjectPath, place_at
from tomarium.catalogue.tables import dois
from tomarium.doctor.core.finding import error, info, warning
from tomarium.errors import FormatError, InputError, StoreUnavailable
from tomarium.model import Record
from tomarium.standards.ro_crate import FILENAME

_NAMED: Final = 5
"""Files of one record that are told one by one."""


def run(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    """Compare each record's row with its crate, and the names of its files with its manifest."""
    if not context.files:
        return
    away: set[str] = set()
    for row in all_records(context, "records"):
        if row.address in away:
            continue
        try:
            yield from _of_record(context, row)
        except StoreUnavailable as problem:
            away.add(row.address)
            finding = warning(row.address, str(problem), "a store that answers", "start it, then look again")
            yield "store-unavailable", Fault(finding)


def _of_record(context: CheckContext, row: Row[Any]) -> Iterator[tuple[str, Fault]]:
    folder = place_at(row.address) / row.path
    if not (folder / FILENAME).is_file():
        reason = "has no crate" if folder.is_dir() else "is not there"
        is_draft = row.state in ("draft", "review")
        finding = error(
            row.id,
            f"its folder {folder} {reason}",
            "the folder of a record",
            "copy it back from where its copies are kept; where it was removed on purpose: "
            + (
                f"tomarium remove {row.id}"
                if is_draft
                else "make the index anew with: tomarium index rebuild DIR"
            ),
        )
        yield "folder-missing", Fault(finding)
        return
    try:
        record = read_record(folder)
    except (FormatError, InputError) as problem:
        mend = f"take {FILENAME} from a backup (records/{row.id}/ in its zip), or copy the record from its origin"
        yield "crate-unreadable", Fault(error(row.id, str(problem), "a crate that can be read", mend))
        return
    if record.id != row.id:
        description = f"its folder {folder} holds the record {record.id}"
        finding = error(
            row.id, description, "the record itself", f"look at it, then: tomarium ingest {folder}"
        )
        yield "other-record", Fault(finding)
        return
    yield from _of_rows(context, row, record, folder)
    yield from _of_files(context, record, folder)


def _of_rows(
    context: CheckContext, row: Row[Any], record: Record, folder: Path
) -> Iterator[tuple[str, Fault]]:
    expected = {**row_of(record), "state": state_of(record, row.lived or "draft")}
    differing = [name for name, value in expected.items() if getattr(row, name) != value]
    if row.lived is None or row.lived != expected["state"]:
        differing.append("life")

    def again() -> str:
        with context.catalogue.writing() as connection:
            save(connection, read_record(folder), folder)
        return "its rows were written anew"

    if differing:
        finding = error(
            row.id,
            f"the index and its crate tell different things of {', '.join(differing)}",
            "rows that say what the crate says",
            f"tomarium fsck --repair, or: tomarium ingest {folder}",
        )
        yield "rows-differ", Fault(finding, again)
    if record.publication is not None and record.publication.doi:
        yield from _of_doi(context, record)


def _of_doi(context: CheckContext, record: Record) -> Iterator[tuple[str, Fault]]:
    assert record.publication is not None
    with context.catalogue.reading() as connection:
        row = connection.execute(select(dois.c.doi).where(dois.c.doi == record.publication.doi)).first()

    def ask() -> str:
        with context.catalogue.writing() as connection:
            address = address_of(all_settings(connection), record.id)
            ask_for_update(connection, record, address)
        return "DataCite will be told of it"

    if row is None:
        finding = error(
            record.id,
            f"its crate tells the DOI {record.publication.doi}, and the list of what DataCite is told has it not",
            "a DOI that is registered, or waits for it",
            "tomarium fsck --repair, then: tomarium worker",
        )
        yield "doi-not-listed", Fault(finding, ask)


def _of_files(context: CheckContext, record: Record, folder: Path) -> Iterator[tuple[str, Fault]]:
    try:
        mismatches = verify(folder, checksums=False)
    except FormatError as problem:
        mend = f"take {MANIFEST} from a backup, or file the record anew"
        yield "manifest-unreadable", Fault(error(record.id, str(problem), "a manifest", mend))
        return
    drafts = [folder / mismatch.path for mismatch in mismatches if DRAFT.fullmatch(Path(mismatch.path).name)]
    for path in drafts:
        if not isinstance(path, ObjectPath) and context.is_settled(path):
            yield "draft-left", draft_left(path, record.id)
    filed = [mismatch for mismatch in mismatches if folder / mismatch.path not in drafts]
    damaged = [mismatch for mismatch in filed if mismatch.problem != "unlisted"]
    for mismatch in damaged[:_NAMED]:
        reason = "is not there" if mismatch.problem == "missing" else "is not what the crate says"
        mend = (
            f"copy it back from where its copies are kept; of a volume: tomarium check {folder} --repair; where a "
            f"filing was stopped, give the same command again"
        )
        yield (
            "file-missing",
            Fault(error(record.id, f"{mismatch.path} {reason}", "the file as it was filed", mend)),
        )
    if len(damaged) > _NAMED:
        more = error(
            record.id, f"{len(damaged) - _NAMED} more files", "the files as they were filed", "as above"
        )
        yield "file-missing", Fault(more)
    unlisted = [mismatch.path for mismatch in filed if mismatch.problem == "unlisted"]
    if unlisted:
        rest_of = f" and {len(unlisted) - 1} more" if len(unlisted) > 1 else ""
        finding = info(
            record.id,
            f"{unlisted[0]}{rest_of}: in its folder, and in no manifest",
            "files that the manifest lists",
            "file the record anew where they belong to it, else take them away",
        )
        yield "file-unlisted", Fault(finding)


def draft_left(path: Path, where: str) -> Fault:
    """Tell of a file that a program was writing when it was stopped; what it was to replace is whole."""

    def remove() -> str:
        path.unlink(missing_ok=True)
        return "removed"

    finding = info(where, f"{path.name}: was being written when a program was stopped", "no such file", "")
    return Fault(finding, remove)


def folder_known(context: CheckContext, id: str) -> Path | None:
    """Return where the catalogue says that a record lies."""
    with context.catalogue.reading() as connection:
        return queries.folder_of(connection, id)


RECORDS: Final = StateCheck("records", run)
