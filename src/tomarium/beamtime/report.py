"""The report of a beamtime: what records, the watch, the ledger of copies and the log know of every scan."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium.beamtime.batch_files import read_results
from tomarium.beamtime.beamtime_folder import BATCHES, LEDGER, LIVE, Beamtime, read_beamtime
from tomarium.beamtime.copies_known import ScanState, scans_known
from tomarium.beamtime.copy_ledger import open_ledger
from tomarium.beamtime.live_file import NAME, PICTURES, read_live
from tomarium.beamtime.log_file import LOG, LogEntry, read_log
from tomarium.beamtime.profile import Profile, Station
from tomarium.beamtime.profile_file import read_profile
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.completeness import Completeness, completeness, counted
from tomarium.catalogue.queries import places_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import FormatError, InputError
from tomarium.model import Record, parameter
from tomarium.model.wording import brief
from tomarium.standards.citation import cite
from tomarium.standards.ro_crate import FILENAME

_ENDINGS: Final = (".nxs", ".h5", ".hdf5", ".hdf", ".nx", ".tif", ".tiff", ".txrm", ".edf", ".par")
_SHOWN: Final = (
    "sample_name", "start_time", "energy_kev", "pixel_m", "distance_m", "exposure_s", "projections", "flats", "darks",
    "columns", "rows", "first_angle_deg", "last_angle_deg", "detector",
)  # fmt: skip
_LARGEST_PICTURE: Final = 2_000_000


@dataclass(frozen=True)
class Result:
    """A reconstruction of a scan.

    Attributes
    ----------
    title, where, finished, steps, axis, citation, picture : str
        Title of the record; its folder within the beamtime's; when it was finished; steps of its protocol; its axis
        with the confidence; how it is cited; a data address of its thumbnail, "" where it has none.
    parameters : tuple of (str, str, str)
        Label, value with its unit, and origin.
    warnings : tuple of str
        Of the scan and of its reconstruction.
    """

    title: str
    where: str
    finished: str
    steps: str
    axis: str
    citation: str
    picture: str
    parameters: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]


@dataclass
class Card:
    """What is known of a scan.

    Attributes
    ----------
    scan : str
        Its name.
    results : list of Result
        Its reconstructions, from records.
    live : dict
        The slice of the watch; empty where there is none.
    failed : str
        Why the watch could not reconstruct it; "" where it could.
    copies : list of ScanState
        What the ledger has of this name.
    """

    scan: str
    results: list[Result] = field(default_factory=list)
    live: dict[str, Any] = field(default_factory=dict)
    failed: str = ""
    copies: list[ScanState] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """All warnings, each once."""
        texts = [text for result in self.results for text in result.warnings]
        texts += [f"{warning['title']}: {warning['text']}" for warning in self.live.get("warnings", [])]
        if self.failed:
            texts.append(f"not reconstructed by the watch: {self.failed}")
        return list(dict.fromkeys(texts))


@dataclass(frozen=True)
class DraftsKnown:
    """What a catalogue has of the records of a beamtime.

    Attributes
    ----------
    name : str
        Of the catalogue.
    drafts : tuple of Completeness
        Those that are not published yet, with what each lacks.
    published : int
        How many are.
    absent : int
        Records of the beamtime's folder that are not in it.
    """

    name: str
    drafts: tuple[Completeness, ...]
    published: int
    absent: int

    @property
    def words(self) -> str:
        """In a line: "12 drafts, 3 published, 1 record not filed"."""
        parts = [_counted(len(self.drafts), "draft"), f"{self.published} published"]
        if self.absent:
            parts.append(f"{_counted(self.absent, 'record')} of this folder not filed")
        return ", ".join(parts)

    @property
    def lack(self) -> str:
        """How many drafts lack what."""
        return counted(self.drafts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes
    ----------
    beamtime : Beamtime
        Name, proposal, people.
    cards : tuple of Card
        By name.
    station : Station
        What a publication has to say.
    profile : Profile or None
        Of the beamline.
    log : tuple of LogEntry
        The oldest first.
    problems : tuple of str
        What could not be read.
    made : str
        When (ISO 8601, UTC).
    ids : tuple of str
        Records of the beamtime, by what lies in its folder and by what a batch and a watch have filed.
    not_filed : tuple of (str, str)
        What a batch or a watch could not file in the catalogue, and why.
    catalogue : DraftsKnown or None
        What the catalogue has of these records; None where it was not asked.
    """

    beamtime: Beamtime
    cards: tuple[Card, ...]
    station: Station
    profile: Profile | None
    log: tuple[LogEntry, ...]
    problems: tuple[str, ...]
    made: str
    ids: tuple[str, ...] = ()
    not_filed: tuple[tuple[str, str], ...] = ()
    catalogue: DraftsKnown | None = None


def gather(folder: Path, log: Sequence[LogEntry] = (), records: Iterable[Path] = ()) -> Report:
    """Put together what is known of a beamtime.

    Parameters
    ----------
    folder : Path
        Of the beamtime: records anywhere in it, `live/live.json`, `copies.sqlite`, `log.jsonl`, `beamtime.toml`.
    log : sequence of LogEntry
        Further entries of the log book, those of the proposal; one that stands in `log.jsonl` too is told once.
    records : iterable of Path
        Further folders of records.

    Returns
    -------
    Report
        A record that cannot be read is told in `problems`; it stops nothing.

    Raises
    ------
    InputError
        The folder is none, or `beamtime.toml` or the profile it names is wrong.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; the folder of a beamtime was expected")
    beamtime = read_beamtime(folder)
    profile = read_profile(beamtime.profile) if beamtime.profile else None
    station = profile.station(beamtime.station) if profile else Station()
    cards: dict[str, Card] = {}
    problems: list[str] = []
    ids: dict[str, None] = {}
    for place in dict.fromkeys([*_record_folders(folder), *records]):
        try:
            record = read_record(place)
        except (FormatError, InputError, OSError) as problem:
            problems.append(str(problem))
            continue
        ids[record.id] = None
        if (raw := _raw_scan(record)) is not None:
            _card(cards, raw)
            continue
        name = scan_of(record)
        _card(cards, name).results.append(_result_of(record, place, folder))
    _add_live(folder, cards, problems)
    if (folder / LEDGER).is_file():
        with open_ledger(folder / LEDGER, make=False) as ledger:
            for state in scans_known(ledger):
                _card(cards, state.scan).copies.append(state)
    ordered = sorted(cards.values(), key=lambda card: card.scan)
    entries = {_entry_key(log_entry): log_entry for log_entry in log}
    try:
        entries |= {_entry_key(log_entry): log_entry for log_entry in read_log(folder)}
    except OSError as problem:
        problems.append(f"{folder / LOG}: cannot be read ({problem.strerror})")
    log_entries = tuple(sorted(entries.values(), key=lambda entry: entry.when[:19]))
    moment_made = datetime.now(UTC).isoformat(timespec="seconds")
    filed, not_filed = _filed(folder, cards)
    return Report(
        beamtime,
        tuple(ordered),
        station,
        profile,
        log_entries,
        tuple(problems),
        moment_made,
        ids=tuple({**ids, **filed}),
        not_filed=tuple(not_filed),
    )


def _filed(folder: Path, cards: Mapping[str, Card]) -> tuple[dict[str, None], list[tuple[str, str]]]:
    """List the drafts that batches and the watch have filed, and what they could not."""
    drafts: dict[str, None] = {}
    not_filed = []
    batches = sorted((folder / BATCHES).glob("*/")) if (folder / BATCHES).is_dir() else []
    for batch in batches:
        try:
            rows = read_results(batch)
        except (FormatError, OSError, TypeError, ValueError, KeyError):
            continue  # `tomarium status` names it
        drafts |= {row.draft: None for row in rows if row.draft}
        not_filed += [(f"{batch.name}: {row.name}", row.not_filed) for row in rows if row.not_filed]
    live = [card.live for card in cards.values() if card.live]
    drafts |= {str(entry["draft"]): None for entry in live if entry.get("draft")}
    not_filed += [(str(entry["scan"]), str(entry["not_filed"])) for entry in live if entry.get("not_filed")]
    return drafts, not_filed


def drafts_known(catalogue: Catalogue, reader: Reader, ids: Sequence[str]) -> DraftsKnown:
    """Ask a catalogue which records of a beamtime it has, and what the drafts among them lack.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks.
    ids : sequence of str
        Identifiers of records.

    Returns
    -------
    DraftsKnown
        Records that the reader may not change are told as absent.
    """
    with catalogue.reading() as connection:
        known = places_of(connection, reader, ids)
    told, _ = completeness(catalogue, reader, known)
    drafts = tuple(record for record in told if record.state in ("draft", "review"))
    return DraftsKnown(catalogue.name, drafts, len(told) - len(drafts), len(ids) - len(told))


def _entry_key(entry: LogEntry) -> tuple[str, str, str]:
    """Tell what makes an entry the same: its second, who, and the text."""
    return entry.when[:19], entry.who, entry.text


def scan_of(record: Record) -> str:
    """Tell the scan of which a record is.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        Name of the file that was reconstructed, without its ending; the record's title where it does not say.
    """
    source = record.provenance.get("source")
    path_text = source.get("path") if isinstance(source, Mapping) else None
    return key_of(str(path_text)) if path_text else record.title


def _raw_scan(record: Record) -> str | None:
    """Return the file of a record of a raw scan, which is no reconstruction; None of any other."""
    part = record.parts[0] if record.parts else None
    is_raw = part is not None and part.kind == "projections" and part.role == "raw"
    return part.path if is_raw and part is not None and part.path != "." else None


def key_of(name: str) -> str:
    """Take the path and the ending off the name of a scan: "spool/tooth_01.nxs" is "tooth_01"."""
    last = Path(name).name
    return next(
        (last[: -len(end)] for end in _ENDINGS if last.lower().endswith(end) and len(last) > len(end)), last
    )


def _card(cards: dict[str, Card], scan: str) -> Card:
    key = key_of(scan)
    return cards.setdefault(key, Card(key))


def _record_folders(folder: Path) -> list[Path]:
    folders = []
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith(".") and not name.endswith(".zarr"))
        if FILENAME in files:
            folders.append(Path(place))
            names.clear()
    return folders


def _result_of(record: Record, place: Path, folder: Path) -> Result:
    provenance = record.provenance
    steps = provenance.get("protocol")
    names = (
        [str(next(iter(step))) for step in steps.get("steps", ()) if step]
        if isinstance(steps, Mapping)
        else []
    )
    warnings = provenance.get("warnings", ())
    return Result(
        title=record.title,
        where=str(place.relative_to(folder)) if place.is_relative_to(folder) else place.name,
        finished=str(provenance.get("finished", "")),
        steps=" → ".join(names),
        axis=_axis_text(record),
        citation=cite(record),
        picture=_picture(place / "previews" / "thumbnail.png"),
        parameters=tuple(
            (parameter.label(key), brief(parameter.show(key, record.parameters[key].value), 80),
             record.parameters[key].origin)
            for key in _SHOWN
            if key in record.parameters
        ),
        warnings=tuple(str(warning) for warning in warnings) if isinstance(warnings, Sequence) else (),
    )  # fmt: skip


def _axis_text(record: Record) -> str:
    """Word the axis that was used, and where it comes from."""
    value = record.parameters.get("axis_column")
    return f"{parameter.show('axis_column', value.value)} ({value.origin}: {value.source})" if value else ""


def _picture(path: Path) -> str:
    """Write a picture into an address; one that is absent, large or no PNG is left out."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > _LARGEST_PICTURE:
        return ""
    content = path.read_bytes()
    kinds = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}
    kind = next((kind for magic, kind in kinds.items() if content.startswith(magic)), "")
    return f"data:image/{kind};base64,{b64encode(content).decode()}" if kind else ""


def _add_live(folder: Path, cards: dict[str, Card], problems: list[str]) -> None:
    """Add what a watch found, from its file."""
    for place in (folder / LIVE, folder):
        try:
            state = read_live(place)
            if state is None:
                continue
            for entry in state.slices:
                picture = _picture(place / PICTURES / str(entry["picture"])) if entry.get("picture") else ""
                card = _card(cards, str(entry["scan"]))
                card.live = card.live or {**entry, "address": picture}
            for entry in [*state.failed, *state.skipped]:
                card = _card(cards, str(entry["scan"]))
                card.failed = card.failed or str(entry.get("reason", ""))
        except FormatError as problem:
            problems.append(str(problem))
        except (KeyError, TypeError, AttributeError) as problem:
            problems.append(f"{place / NAME}: is not what a watch writes ({problem!r})")
        return
