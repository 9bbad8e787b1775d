"""Uploads: batches without notes, room that no batch takes, and batches that were filed and not forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import select

from tomarium.catalogue.finish_upload import KIND, finish_again
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.state_checks.records import draft_left
from tomarium.catalogue.state_checks.state_check import DRAFT, CheckContext, Fault, StateCheck
from tomarium.catalogue.tables import jobs, upload_rooms
from tomarium.catalogue.upload_filing import filed_as
from tomarium.catalogue.upload_notes import BATCH, NAME, owner_of
from tomarium.catalogue.upload_room import bring_up_to_date
from tomarium.catalogue.uploads import INCOMING, Uploads
from tomarium.doctor.core.finding import info, warning


def run(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    """Look at each batch on disk, and at the rows that tell how much room batches take."""
    uploads = Uploads(context.catalogue.home / "uploads")
    with context.catalogue.reading() as connection:
        rooms = set(connection.execute(select(upload_rooms.c.batch)).scalars())
        open_jobs = select(jobs.c.arguments).where(
            jobs.c.kind == KIND, jobs.c.state.in_(("waiting", "running"))
        )
        with_job = {str(row.get("batch")) for row in connection.execute(open_jobs).scalars()}
    batches = set()
    for home in sorted(uploads.root.iterdir()) if uploads.root.is_dir() else ():
        if not NAME.fullmatch(home.name):
            continue
        batches.add(home.name)
        for path in home.rglob(".*.part"):
            if DRAFT.fullmatch(path.name) and context.is_settled(path):
                yield "draft-left", draft_left(path, f"upload {home.name}")
        if context.is_settled(home):
            yield from _of_batch(context, uploads, home.name, home.name in with_job)
    missing = [text for text in batches - rooms if owner_of(uploads.root / text)]
    if rooms - batches or missing:

        def again() -> str:
            bring_up_to_date(context.catalogue, uploads)
            return "the rows were brought up to date"

        finding = info(
            "uploads",
            f"{len(rooms - batches)} rows of batches that are gone, {len(missing)} batches without a row",
            "a row for each batch",
            "a worker does it of itself",
        )
        yield "room-of-uploads", Fault(finding, again)


def _of_batch(
    context: CheckContext, uploads: Uploads, batch: str, has_job: bool
) -> Iterator[tuple[str, Fault]]:
    home = uploads.root / batch

    def forget() -> str:
        uploads.forget(batch)
        return "removed"

    owner = owner_of(home)
    if not owner:
        description = f"has no {BATCH}: its beginning was stopped, and nobody can go on with it"
        yield (
            "upload-without-notes",
            Fault(info(f"upload {batch}", description, "notes of whose it is", ""), forget),
        )
        return
    reader = Reader(owner, "member")
    if filed := filed_as(home, home / INCOMING):

        def finish() -> str:
            record = finish_again(context.catalogue, reader, uploads, batch)
            return f"filed as {record.id}"

        finding = warning(
            f"upload {batch}",
            f"its files became the folder of the record {filed}, and the program was stopped before its end",
            "a record that is filed, and no batch",
            "tomarium fsck --repair, or let its sender hand it in again",
        )
        yield "upload-half-filed", Fault(finding, finish)
    elif (home / INCOMING).is_dir() and not has_job:
        finding = info(
            f"upload {batch}",
            "all its files are here, and no job makes a record of them",
            "a record, or a job that makes it",
            f"let {owner} hand it in again on the page of uploads",
        )
        yield "upload-not-handed-in", Fault(finding)


UPLOADS: Final = StateCheck("uploads", run)
