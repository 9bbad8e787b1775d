"""Pictures that are drawn of a record when it is filed: slices, a turntable, a histogram, rings, the axis; once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row

from tomarium import __version__, formats, units
from tomarium.atomic_files import write_whole
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.child_reader import SETTING, ChildReaders, ReaderDied
from tomarium.catalogue.edit import place_for, write_record
from tomarium.catalogue.file_table import remove_others
from tomarium.catalogue.filing import DATA, PREVIEWS, refile_below
from tomarium.catalogue.find_jobs import reader_who_asked
from tomarium.catalogue.jobs import Ended, add_job, without_folders
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.store import ObjectPath
from tomarium.confinement import CannotConfine
from tomarium.errors import DatabaseUnavailable, InputError, TomariumError
from tomarium.model import Record, Scan, Volume
from tomarium.pipeline.protocol.choice import Choice
from tomarium.standards.patch_file import FOLDER as LEARNING
from tomarium.viewers.drawn import FOLDER, told_of
from tomarium.viewers.picture_kinds import ENDINGS, picture_of_scan, picture_of_volume
from tomarium.viewers.volume import open_volume, volume_path

KIND: Final = "draw pictures"
OF_VOLUME: Final = ("sheet", "histogram", "rings", "turntable")
OF_SCAN: Final = ("axis", "rings")
LONGEST_S: Final = 300.0
"""Seconds that a picture may take; its process is ended then. What memory it may take, `child_reader` says."""
MOST_READ: Final = 4 << 30
"""Bytes that may be read of a scan for one picture: of frames that are compressed, all of each for one row."""
ROUND_S: Final = 60.0
"""Seconds after which a worker lets other jobs come first."""


@dataclass(frozen=True)
class Drawn:
    """What was drawn of a record: kind → picture, and kind → why there is none."""

    files: Mapping[str, bytes]
    failed: Mapping[str, str]


def kinds_due(record: Record, *, again: bool = False) -> tuple[str, ...]:
    """Tell which pictures are to be drawn of a record.

    Parameters
    ----------
    record : Record
        As its folder says.
    again : bool
        Whether those that failed are tried once more.

    Returns
    -------
    tuple of str
        All of its kinds where none were drawn of the data that it holds now; none of a record without a volume or a
        scan.
    """
    kinds: tuple[str, ...] = OF_VOLUME if volume_path(record) is not None else ()
    if not kinds and record.parts and record.parts[0].kind == "projections":
        kinds = OF_SCAN
    pictures = told_of(record)
    if not kinds or pictures.get("of") != data_key(record):
        return kinds
    return tuple(kind for kind in kinds if again and kind in pictures.get("failed", {}))


def ask_for_pictures(catalogue: Catalogue, reader: Reader, made: Iterable[Record]) -> int | None:
    """Queue the drawing of pictures of records, one job for all of them.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who filed them.
    made : iterable of Record
        Just filed.

    Returns
    -------
    int or None
        Number of the job; None where nothing is to be drawn.
    """
    ids = [record.id for record in made if kinds_due(record)]
    if not ids:
        return None
    with catalogue.writing() as connection:
        return add_job(connection, reader, KIND, {"records": ids})


def make_pictures(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Draw the pictures that were asked for; what a worker does.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        Of `job`, held by this worker.

    Returns
    -------
    str, str, tuple of str
        "done", or "failed" where a record could not be read or written; how many records, and what could not be drawn;
        no records. After a minute the rest becomes a job of its own behind the others.
    """
    with catalogue.reading() as connection:
        reader = reader_who_asked(connection, job)
    ids, problems, count, state = list(job.arguments["records"]), [], 0, "done"
    until = time.monotonic() + ROUND_S
    while ids and time.monotonic() < until:
        id = ids.pop(0)
        try:
            problems += draw_record_pictures(catalogue, reader, id)
            count += 1
        except DatabaseUnavailable:
            raise
        except (TomariumError, OSError) as problem:
            problems.append(f"{id}: {problem}")
            state = "failed"
    sentence = f"{count} records"
    if ids:
        with catalogue.writing() as connection:
            asker = Reader(job.asked_by, "member")
            next_job = add_job(connection, asker, KIND, {"records": ids}, joins=("waiting",))
        sentence += f"; job {next_job} draws those of the other {len(ids)}"
    return state, "; ".join([sentence, *problems]), ()


def draw_record_pictures(
    catalogue: Catalogue,
    reader: Reader,
    id: str,
    *,
    again: bool = False,
    tell: Callable[[str, int, int], object] | None = None,
) -> list[str]:
    """Draw the pictures of a record that are due, and put them into it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who may change the record.
    id : str
        Its identifier.
    again : bool
        Whether those that failed are tried once more.
    tell : callable, optional
        Told of progress: a word, how much is done, how much there is.

    Returns
    -------
    list of str
        What could not be drawn, and why; the record says so too. Its data, its version and its DOI stay as they are.

    Raises
    ------
    InputError
        There is no such record that the reader may change, or it is damaged.
    """
    with catalogue.reading() as connection:
        folder = place_for(connection, reader, id)
        unconfined = all_settings(connection)[SETTING] == "yes"
    if isinstance(folder, ObjectPath):
        return []
    record = read_record(folder)
    kinds = kinds_due(record, again=again)
    if not kinds:
        return []
    drawn = _drawn(folder, kinds, tell, unconfined)
    key = data_key(record)
    with catalogue.writing() as connection:
        now = read_record(folder)
        if data_key(now) != key:
            return [
                f"{id}: its data changed while its pictures were drawn; they are drawn when it is filed anew"
            ]
        files_before = {} if told_of(now).get("of") != key else told_of(now).get("files", {})
        changed = refile_below(folder, _with(now, folder, drawn, key, files_before), FOLDER)
        write_record(connection, reader, changed, folder)
        note(connection, reader, "draw pictures", id, told=sorted(drawn.files))
    remove_others(folder, changed)
    return [f"{id}: {kind}: {why}" for kind, why in drawn.failed.items()]


@cache
def readers() -> ChildReaders:
    """Return the process that draws pictures of records.

    Returns
    -------
    ChildReaders
        One, which begins when it is first asked, and draws for all jobs after.
    """
    return ChildReaders(_draw, count=1)


def _drawn(
    folder: Path,
    kinds: Sequence[str],
    tell: Callable[[str, int, int], object] | None,
    unconfined: bool,
) -> Drawn:
    files, failed = {}, {}
    for number, kind in enumerate(kinds):
        if tell is not None:
            tell("pictures", number, len(kinds))
        try:
            answer = readers().ask(
                (folder, kind), readable=[folder], longest_s=LONGEST_S, unconfined=unconfined
            )
        except CannotConfine as problem:
            answer = str(problem)
        except ReaderDied as problem:
            answer = str(problem).replace("choose a smaller part", "`tomarium picture` has no such limit")
        if isinstance(answer, bytes):
            files[kind] = answer
        else:
            failed[kind] = without_folders(answer, {folder: folder.name})
    return Drawn(files, failed)


def _with(record: Record, folder: Path, drawn: Drawn, key: str, files_before: Mapping[str, str]) -> Record:
    """Write the pictures into the record's folder, and tell of them in its first part."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    names = {**files_before, **{kind: f"{kind}{ENDINGS.get(kind, '.png')}" for kind in drawn.files}}
    for kind, content in drawn.files.items():
        write_whole(target / names[kind], content)
    for path in target.iterdir():
        if path.name not in names.values():
            path.unlink()
    pictures = {
        "of": key,
        "files": names,
        "failed": dict(drawn.failed),
        "by": f"tomarium {__version__}",
        "when": datetime.now(UTC).replace(microsecond=0).isoformat(),
    }
    number = next((n for n, part in enumerate(record.parts) if part.kind == "volume"), 0)
    parts = list(record.parts)
    parts[number] = replace(parts[number], summary={**parts[number].summary, "drawn": pictures})
    return replace(record, parts=tuple(parts))


def data_key(record: Record) -> str:
    """Name the data of a record: pictures are drawn, and patches written, again where they are others.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        16 hexadecimal digits of its files that are data, without what is made of them.
    """
    data = sorted(
        (file.path, file.sha256)
        for file in record.files
        if file.role in DATA and not file.path.startswith((f"{PREVIEWS}/", "meshes/", f"{LEARNING}/"))
    )
    return hashlib.sha256(repr(data).encode()).hexdigest()[:16]


def _draw(question: tuple[Path, str]) -> bytes | str:
    """Draw one picture of a record, in a process of its own; returns why not where that cannot be."""
    folder, kind = question
    try:
        record = read_record(folder)
        path = volume_path(record)
        if path is not None:
            return picture_of_volume(open_volume(folder / path), kind)
        opened = formats.open(folder if record.parts[0].path == "." else folder / record.parts[0].path)
        if isinstance(opened, Volume) or not isinstance(opened, Scan):
            raise InputError("the scan is read as an image where the record lies")
        _demand_cheap(opened)
        return picture_of_scan(opened, kind, Choice())
    except TomariumError as problem:
        return str(problem)
    except MemoryError:
        return "it takes more memory than a worker gives to a picture"
    except Exception as problem:
        return f"an error of tomarium itself: {type(problem).__name__}: {problem}"


def _demand_cheap(scan: Scan) -> None:
    """Refuse a scan of which one row costs very much to read."""
    row = scan.shape[1] // 2
    read = max(scan.projections.cost(scan.shape[0], slice(row, row + 1)))
    if read > MOST_READ:
        raise InputError(
            f"one row of it at all angles takes {units.show(read, 'B', digits=3)} to be read, more than "
            f"{units.show(MOST_READ, 'B', digits=3)}; draw it with `tomarium picture`"
        )
