"""The folder of a beamtime as the ESRF lays it out: proposal, beamline, session, RAW_DATA and PROCESSED_DATA."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium.catalogue.filing import id_words
from tomarium.catalogue.make_from_files import data_below, title_of
from tomarium.errors import InputError, TomariumError
from tomarium.importers.found import DraftEntity, DraftRecord, Found, Notes, Source
from tomarium.model import Image, Scan, Value
from tomarium.standards.ro_crate import FILENAME

RAW: Final = "RAW_DATA"
PROCESSED: Final = "PROCESSED_DATA"
_SESSION: Final = re.compile(r"(?:19|20)\d{2}[01]\d[0-3]\d")
_BEAMLINE: Final = re.compile(r"(?:id|bm)\d{2}[a-z]?(?:-[a-z0-9]+)?", re.IGNORECASE)
_PROPOSAL: Final = re.compile(r"[a-z]{1,5}-?\d{2,8}", re.IGNORECASE)
_DETECTOR_FOLDER: Final = re.compile(r"scan\d{4,}")
_DOCUMENT: Final = re.compile(r"readme.*|.*\.(?:pdf|md|rst|docx?|odt|pptx?)", re.IGNORECASE)
_MOST_DOCUMENTS: Final = 200
_MOST_LISTED: Final = 5000


@dataclass(frozen=True)
class Beamtime:
    """What the path of a folder tells.

    Attributes
    ----------
    folder : Path
        That holds RAW_DATA or PROCESSED_DATA, or is taken as it is.
    proposal, beamline, session : str
        "md1252", "bm05", "20211007"; "" for what the path does not tell.
    """

    folder: Path
    proposal: str = ""
    beamline: str = ""
    session: str = ""

    @property
    def name(self) -> str:
        """What its records are known by."""
        return "/".join(filter(None, (self.proposal, self.beamline, self.session))) or self.folder.name


def read(path: Path) -> Found:
    """Read the folder of a beamtime, or of a proposal with several.

    Parameters
    ----------
    path : Path
        A folder.

    Returns
    -------
    Found
        Scans as records, of the sample in whose folder they lie; volumes that were made from them; one record of
        documents a session; the proposal and the beamline, as the path tells them.

    Raises
    ------
    InputError
        It is no folder, or there are no scans, volumes or documents in it.
    """
    if not path.is_dir():
        raise InputError(f"{path}: is no folder; give that of a beamtime, which holds {RAW}")
    if (path / FILENAME).exists():
        raise InputError(f"{path}: is a record; file it with: tomarium ingest {path}")
    notes = Notes()
    records: list[DraftRecord] = []
    entities: dict[tuple[str, str], DraftEntity] = {}
    for beamtime in _beamtimes(path.resolve()):
        draft_records = _records(beamtime, notes)
        records += draft_records
        entities |= {(entity.kind, entity.key): entity for entity in _entities(beamtime, draft_records)}
    if not records:
        raise InputError(
            f"{path}: holds no scan, volume or document; give the folder of a beamtime, which holds {RAW}"
        )
    return Found(tuple(entities.values()), tuple(records), notes)


def read_path(folder: Path) -> Beamtime:
    """Read proposal, beamline and session from the path of a folder, the nearest first.

    Examples
    --------
    >>> read_path(Path("/data/visitor/md1252/bm05/20211007")).name
    'md1252/bm05/20211007'
    """
    parts = {"session": "", "beamline": "", "proposal": ""}
    patterns = {"session": _SESSION, "beamline": _BEAMLINE, "proposal": _PROPOSAL}
    for part in reversed(folder.parts[-4:]):
        for name, pattern in patterns.items():
            if not parts[name] and pattern.fullmatch(part):
                parts[name] = part
                break
    return Beamtime(folder, **parts)


def _beamtimes(path: Path) -> list[Beamtime]:
    """List the sessions at a path: itself, else those up to three folders below it; else itself as it is."""
    level, sessions = [path], list[Path]()
    for _ in range(4):
        sessions += [path for path in level if (path / RAW).is_dir() or (path / PROCESSED).is_dir()]
        level = [
            below
            for path in level
            if path not in sessions
            for below in sorted(path.iterdir())
            if below.is_dir() and not below.is_symlink() and not below.name.startswith(".")
        ]
    return [read_path(folder) for folder in sessions or [path]]


def _entities(beamtime: Beamtime, records: list[DraftRecord]) -> Iterator[DraftEntity]:
    if beamtime.beamline:
        yield DraftEntity("instrument", beamtime.beamline, beamtime.beamline.upper(), {"facility": "ESRF"})
    if beamtime.proposal:
        session = beamtime.session
        day = f"{session[:4]}-{session[4:6]}-{session[6:]}" if session else ""
        facts = {
            "number": beamtime.proposal,
            "start": day if _is_day(day) else "",
            "instrument": beamtime.beamline.upper(),
        }
        known_facts = {key: text for key, text in facts.items() if text}
        yield DraftEntity(
            "proposal",
            beamtime.proposal,
            beamtime.proposal.upper(),
            known_facts,
            id=id_words(beamtime.proposal),
        )
    for key in dict.fromkeys(record.specimen for record in records if record.specimen):
        yield DraftEntity("specimen", key, key.rpartition("/")[2])


def _records(beamtime: Beamtime, notes: Notes) -> list[DraftRecord]:
    parts = [beamtime.folder / name for name in (RAW, PROCESSED) if (beamtime.folder / name).is_dir()]
    raw: list[DraftRecord] = []
    paths_used: set[Path] = set()
    processed: list[DraftRecord] = []
    for part in parts or [beamtime.folder]:
        for place, opened in _open_data(part):
            paths_used.add(place)
            if isinstance(opened, TomariumError):
                notes.problems.append(str(opened))
                continue
            record = _record(beamtime, part, place, opened)
            paths_used |= {path for _, path in record.beside}
            (raw if part.name != PROCESSED else processed).append(record)
    derived = [_with_source(draft_record, raw, notes) for draft_record in processed]
    documents, endings_left = _documents(beamtime, paths_used)
    for ending, count in endings_left.most_common():
        notes.left_out[f"{count} file{'s' if count > 1 else ''} {ending}"] = (
            "no scan, volume, image or document"
        )
    return [*raw, *derived, *documents]


def _open_data(part: Path) -> Iterator[tuple[Path, Scan | Image | TomariumError]]:
    """Find scans and images; of a scan of BLISS the files of its detectors are none of their own."""
    places = list(data_below(part))
    masters = {place.parent for place, opened in places if isinstance(opened, Scan) and place.is_file()}
    for place, opened in places:
        inner = place if place.is_dir() else place.parent
        if _DETECTOR_FOLDER.fullmatch(inner.name) and inner.parent in masters:
            continue
        yield place, opened


def _record(beamtime: Beamtime, part: Path, place: Path, opened: Scan | Image) -> DraftRecord:
    inside = place.relative_to(part)
    relative = place.relative_to(beamtime.folder).as_posix()
    sample = inside.parts[0] if len(inside.parts) > 1 else ""
    name = place.name.partition(".")[0] if place.is_file() else place.name
    # A file's own title is the command of the scan there, "tomo:fullturn", the same for all.
    title = f"{sample}: {name}" if sample and sample != name else sample or title_of(opened, place)
    title = f"{title}, processed" if part.name == PROCESSED else title
    beside = _detector_files(place) if place.is_file() else ()
    status = place.stat()
    started = opened.metadata.get("start_time")
    where = f"path {beamtime.name}/{relative}"
    facts = {
        "beamline": beamtime.beamline.upper(),
        "proposal": beamtime.proposal,
        "session": beamtime.session,
    }
    return DraftRecord(
        key=f"{beamtime.name}/{relative}",
        title=title,
        created=_moment(started) or datetime.fromtimestamp(int(status.st_mtime), UTC),
        parameters={key: Value(text, "derived", where) for key, text in facts.items() if text}
        | ({"sample_name": Value(sample, "derived", where)} if sample else {}),
        specimen=f"{beamtime.proposal or beamtime.name}/{sample}" if sample else "",
        proposal=beamtime.proposal,
        instrument=beamtime.beamline,
        data=place,
        opened=opened,
        beside=beside,
        original={
            "path": f"{beamtime.name}/{relative}",
            "bytes": status.st_size,
            "changed": int(status.st_mtime),
        },
    )


def _detector_files(place: Path) -> tuple[tuple[str, Path], ...]:
    """List the files of the detectors of a scan of BLISS, which lie in folders beside its file."""
    return tuple(
        (file.relative_to(place.parent).as_posix(), file)
        for folder in sorted(place.parent.iterdir())
        if folder.is_dir() and not folder.is_symlink() and _DETECTOR_FOLDER.fullmatch(folder.name)
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.is_symlink()
    )


def _with_source(record: DraftRecord, raw: list[DraftRecord], notes: Notes) -> DraftRecord:
    """Say from which scan of its sample something was made: one whose name its own path holds, or the only one."""
    same = [
        draft_record
        for draft_record in raw
        if draft_record.specimen and draft_record.specimen == record.specimen
    ]
    assert record.data is not None
    names = {part.partition(".")[0] for part in record.data.parts}

    def stem(draft: DraftRecord) -> str:
        assert draft.data is not None
        return draft.data.name.partition(".")[0]

    def fits(draft: DraftRecord) -> bool:
        return any(name == stem(draft) or name.startswith(f"{stem(draft)}_") for name in names)

    fitting = [draft_record for draft_record in same if fits(draft_record)]
    longest = max((len(stem(draft_record)) for draft_record in fitting), default=0)
    chosen = [draft_record for draft_record in fitting if len(stem(draft_record)) == longest] or same
    if len(chosen) == 1:
        return replace(record, derived_from=(chosen[0].key,))
    notes.problems.append(
        f"{record.key}: from which of {len(same)} scans of its sample it was made cannot be told by its path; say it "
        f"with: tomarium edit RECORD --related IsDerivedFrom=SCAN"
    )
    return record


def _documents(beamtime: Beamtime, paths_used: set[Path]) -> tuple[list[DraftRecord], Counter[str]]:
    """Gather documents into one record, and count what is none of anything by its ending."""
    documents: list[tuple[str, Path]] = []
    endings_left: Counter[str] = Counter()
    listed: list[str] = []
    for folder, folders, names in os.walk(beamtime.folder):
        current = Path(folder)
        folders[:] = sorted(
            folder
            for folder in folders
            if not folder.startswith(".")
            and current / folder not in paths_used
            and not (current / folder).is_symlink()
        )
        if FILENAME in names:  # a record
            folders[:] = []
            continue
        for name in sorted(names):
            place = current / name
            if name.startswith(".") or place in paths_used or place.is_symlink():
                continue
            relative = place.relative_to(beamtime.folder).as_posix()
            if _DOCUMENT.fullmatch(name) and len(documents) < _MOST_DOCUMENTS:
                documents.append((relative, place))
            else:
                endings_left[place.suffix.lower() or "without ending"] += 1
                listed += [relative] if len(listed) < _MOST_LISTED else []
    if not documents:
        return [], endings_left
    newest = max(int(place.stat().st_mtime) for _, place in documents)
    record = DraftRecord(
        key=f"{beamtime.name}/documents",
        title=f"Documents of {beamtime.name}",
        created=datetime.fromtimestamp(newest, UTC),
        description="; ".join(name for name, _ in documents)[:2000],
        keywords=("documents",),
        proposal=beamtime.proposal,
        instrument=beamtime.beamline,
        documents=tuple(documents),
        original={
            "documents": [
                [name, place.stat().st_size, int(place.stat().st_mtime)] for name, place in documents
            ],
            "other files": listed,
        },
    )
    return [record], endings_left


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value.value)) if isinstance(value, Value) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _is_day(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


FOLDER = Source("folder", "the folder of a beamtime: RAW_DATA, PROCESSED_DATA, documents", read)
