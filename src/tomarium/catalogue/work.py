"""One round of a worker: jobs, then what is to be cleared away, then mails, then DOIs.

What is done for each kind of job is a table, `KINDS`; floors above add their own kinds to it where a worker is made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row

from tomarium.catalogue import (
    align_job,
    entity_records,
    finish_upload,
    kept_dump,
    model_jobs,
    record_patches,
    record_pictures,
)
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.datacite_client import service
from tomarium.catalogue.dois import any_due, tell_due
from tomarium.catalogue.finish_upload import make_records
from tomarium.catalogue.fixity import audit_round
from tomarium.catalogue.jobs import (
    LEASE_S,
    Ended,
    end_job,
    holding,
    is_any_due,
    leave_to_other,
    take_job,
    without_folders,
)
from tomarium.catalogue.log_of_jobs import note_job
from tomarium.catalogue.new_records import look_for_new
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.send_mail import mail_round
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.upload_room import bring_up_to_date
from tomarium.catalogue.uploads import INCOMING, Uploads
from tomarium.errors import DatabaseUnavailable, InputError, TomariumError

AUDIT_S: Final = 20.0
"""Seconds of a round for which records are begun to be read again; one that is begun is read to its end."""


class StillHeld(Exception):
    """Another worker is still at a job whose lease had ended; it is left to that one."""


class NotWanted(TomariumError):
    """A job was cancelled, or another worker has it: what was begun is given up, and nothing is noted."""


def _unchanged(_catalogue: Catalogue, _job: Row[Any], told: str) -> str:
    """Leave what is told as it is."""
    return told


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    Attributes
    ----------
    do : callable
        `do(catalogue, job)` does it and tells what became of it; raises an error for a job that failed, `NotWanted` for
        one that was cancelled meanwhile, and `StillHeld` for one that another worker is at.
    lease_s : float
        Seconds after which another worker takes it where this one was killed.
    urgent : bool
        Whether somebody waits for it, so that it is taken before others.
    tidy : callable
        `tidy(catalogue, job, told)`: what who asked for it is told, without folders of this machine.
    noted : str
        What the log book says was done, in a word: "aligned"; "" where it says nothing.
    long : bool
        Whether the log book also says that it was started.
    """

    do: Callable[[Catalogue, Row[Any]], Ended]
    lease_s: float = LEASE_S
    urgent: bool = False
    tidy: Callable[[Catalogue, Row[Any], str], str] = _unchanged
    noted: str = ""
    long: bool = False


def do_jobs(
    catalogue: Catalogue,
    tell: Callable[[str], object],
    kinds: Mapping[str, Kind] | None = None,
    only: Collection[str] = (),
    until: float = math.inf,
) -> bool:
    """Do all jobs that are due.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    tell : callable
        Told each thing that was done, in one line.
    kinds : mapping of str to Kind, optional
        What is done for each kind; `KINDS` by default.
    only : collection of str
        Kinds that are taken; all where there is none.
    until : float
        Moment of `time.monotonic` after which no further job is begun.

    Returns
    -------
    bool
        Whether all of it went well.
    """
    table, well = KINDS if kinds is None else kinds, True
    urgent = [name for name, kind in table.items() if kind.urgent]
    leases = {name: kind.lease_s for name, kind in table.items()}
    while (
        time.monotonic() < until
        and (job := take_job(catalogue, only=only, urgent=urgent, leases=leases)) is not None
    ):
        kind = table.get(job.kind, _UNKNOWN)
        if kind.long:
            note_job(catalogue, job, kind.noted, "started")
        try:
            with holding(catalogue, job, kind.lease_s):
                state, sentence, record_ids = _do_job(catalogue, job, kind)
        except StillHeld:
            leave_to_other(catalogue, job, kind.lease_s)
            continue
        except KeyboardInterrupt:  # this worker is stopped, and another may go on with it at once
            leave_to_other(catalogue, job, 0.0)
            raise
        except NotWanted:
            tell(f"job {job.number}, {job.kind}: was cancelled")
            continue
        sentence = kind.tidy(catalogue, job, sentence)
        if end_job(catalogue, job.number, state, sentence, record_ids, held=job):
            if kind.noted:
                note_job(catalogue, job, kind.noted, state, sentence, record_ids)
            tell(f"job {job.number}, {job.kind}: {state} ({sentence})")
            well &= state == "done"
    return well


def work_once(
    catalogue: Catalogue,
    tell: Callable[[str], object],
    kinds: Mapping[str, Kind] | None = None,
    until: float = math.inf,
) -> bool:
    """Do all that is due.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    tell : callable
        Told each thing that was done, in one line.
    kinds : mapping of str to Kind, optional
        What is done for each kind of job; `KINDS` by default.
    until : float
        Moment of `time.monotonic` after which no further job is begun, so that mails and DOIs do not wait for all.

    Returns
    -------
    bool
        Whether all of it went well.
    """
    well = do_jobs(catalogue, tell, kinds, until=until)
    uploads = Uploads(catalogue.home / "uploads")
    for batch in uploads.clean():
        tell(f"upload {batch}: removed, nobody went on with it")
    bring_up_to_date(catalogue, uploads)
    well &= _audit_files(catalogue, tell)
    well &= send_mails(catalogue, tell)
    with catalogue.reading() as connection:
        waiting, place = any_due(connection), all_settings(connection)["datacite"]
    if waiting:
        try:
            datacite = service(place)
        except InputError as problem:
            tell(f"{waiting} DOIs wait: {problem}")
            return False
        for doi_result in tell_due(catalogue, datacite):
            tell(
                f"{doi_result.doi}: {doi_result.state}{f' ({doi_result.error})' if doi_result.error else ''}"
            )
            well &= doi_result.state == "findable"
    return well


def _audit_files(catalogue: Catalogue, tell: Callable[[str], object]) -> bool:
    """Read the records whose turn it is, for some seconds and while nobody waits for a job."""
    end = time.monotonic() + AUDIT_S
    return audit_round(catalogue, tell, lambda: time.monotonic() < end and not is_any_due(catalogue))


def send_mails(catalogue: Catalogue, tell: Callable[[str], object]) -> bool:
    """Look for what is new to those who saved a search, and send the mails that are due.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    tell : callable
        Told each thing that was done, in one line; never what a mail says, nor to whom.

    Returns
    -------
    bool
        Whether all of it went well.
    """
    with catalogue.reading() as connection:
        if not all_settings(connection)["smtp_host"]:
            return True
    look_for_new(catalogue)
    sent, problem = mail_round(catalogue)
    for mail in sent:
        tell(f"mail {mail.number}: {mail.state}{f' ({mail.error})' if mail.error else ''}")
    if problem:
        tell(problem)
    return not problem and all(mail.state in ("sent", "dropped") for mail in sent)


def _do_job(catalogue: Catalogue, job: Row[Any], kind: Kind) -> Ended:
    """Do a job, and say what became of it; whatever a file of strangers does to it, the worker goes on."""
    try:
        return kind.do(catalogue, job)
    except (DatabaseUnavailable, StillHeld, NotWanted):
        raise  # the job is not failed: its lease ends, and it is done again; or it is another's
    except TomariumError as problem:
        if isinstance(problem.__cause__, KeyboardInterrupt):
            raise problem.__cause__ from None
        return "failed", str(problem), ()
    except Exception as problem:
        return "failed", f"an error of tomarium itself: {type(problem).__name__}: {problem}", ()


def _places(catalogue: Catalogue) -> tuple[Uploads, Path]:
    return Uploads(catalogue.home / "uploads"), catalogue.home / "records"


def _file_upload(catalogue: Catalogue, job: Row[Any]) -> Ended:
    uploads, records = _places(catalogue)
    reader = Reader(job.asked_by, "member")
    filed = make_records(catalogue, reader, uploads, job.arguments["batch"], records)
    record_ids = tuple(record.id for record in filed.records)
    sentence = f"filed: {', '.join(record_ids)}"
    if filed.problems:
        return "failed", "; ".join([*([sentence] if record_ids else []), *filed.problems]), record_ids
    return "done", sentence, record_ids


def _without_upload_folders(catalogue: Catalogue, job: Row[Any], told: str) -> str:
    """Leave out where uploads and records lie on this machine: who asked for the job is told of it."""
    uploads, records = _places(catalogue)
    batch = str(job.arguments.get("batch", ""))
    folders = (uploads.root / batch / INCOMING, records / batch, records)
    return without_folders(told, dict.fromkeys(folders, "the upload"))


def _rewrite_records(catalogue: Catalogue, job: Row[Any]) -> Ended:
    state, sentence = entity_records.rewrite(
        catalogue, Reader(job.asked_by, "member"), job.arguments["entity"]
    )
    return state, sentence, ()


def _unknown(_catalogue: Catalogue, job: Row[Any]) -> Ended:
    return "failed", f"no worker of this version knows the kind {job.kind!r}", ()


_UNKNOWN: Final = Kind(_unknown)

KINDS: Final[Mapping[str, Kind]] = {
    finish_upload.KIND: Kind(_file_upload, tidy=_without_upload_folders, noted="filed"),
    entity_records.KIND: Kind(_rewrite_records),
    align_job.KIND: Kind(align_job.align_images, noted="aligned"),
    model_jobs.KIND: Kind(model_jobs.make_model, noted="made into a model"),
    record_pictures.KIND: Kind(record_pictures.make_pictures),
    record_patches.KIND: Kind(record_patches.patches_job, lease_s=2 * record_patches.LONGEST_S),
    kept_dump.KIND: Kind(kept_dump.dump_job),
}
"""Kinds of jobs that the catalogue itself does."""
