"""From a series of scans to a record of each moment, with one rotation axis, resumable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tomarium import formats
from tomarium.atomic_files import write_json
from tomarium.catalogue.make_record import demand_apart, make_record
from tomarium.errors import InputError, ParameterError
from tomarium.formats.record.reader import CRATE
from tomarium.model import Scan
from tomarium.pipeline.protocol.choice import with_parameter
from tomarium.pipeline.protocol.protocol import Protocol, to_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.data_check import checked
from tomarium.pipeline.run.journal import Journal, is_unfinished, read_json
from tomarium.pipeline.run.probes import ask_probes
from tomarium.pipeline.run.provenance import fingerprint_of, plain
from tomarium.pipeline.run.runner import Progress, silent
from tomarium.steps.core.step import Probe
from tomarium.steps.views.select_views import window

SERIES: Final = "series.json"
_WHOLE: Final = "all "
_COLUMN: Final = "axis_column"


@dataclass(frozen=True)
class Moment:
    """One scan of a series.

    Attributes
    ----------
    name : str
        Name of its folder.
    path : Path
        File or folder it is opened from.
    entry : str or None
        Which scan of it.
    views, step, number : int or None
        The window that is taken, as the view `window` takes them; None for the whole scan.
    """

    name: str
    path: Path
    entry: str | None = None
    views: int | None = None
    step: int | None = None
    number: int | None = None

    def open(self, given: Mapping[str, Any]) -> Scan:
        """Open it, with what a user tells of all.

        Parameters
        ----------
        given : mapping
            Arguments of `tomarium.open`.

        Returns
        -------
        Scan
            The scan of that moment.

        Raises
        ------
        InputError
            It is no scan.
        """
        values = dict(given) if self.entry is None else {**given, "entry": self.entry}
        opened = formats.open(self.path, **values)
        if not isinstance(opened, Scan):
            raise InputError(f"{self.path} holds an image, not a scan of a series")
        if self.views is None:
            return opened
        return window(opened, views=self.views, step=self.step or 1, number=self.number or 0)


def moments_of(
    paths: Sequence[Path], given: Mapping[str, Any], views: int | None = None, every: int | None = None
) -> tuple[Moment, ...]:
    """List the moments of a series.

    Parameters
    ----------
    paths : sequence of Path
        Scans, one a moment; or a single file that holds several, such as the turns of a ring buffer, or one long scan.
    given : mapping
        Arguments of `tomarium.open`.
    views : int, optional
        Projections of a moment, for one long scan; of a file with several, of all of them.
    every : int, optional
        Projections from one moment to the next; `views` by default.

    Returns
    -------
    tuple of Moment
        In the order of time.

    Raises
    ------
    InputError
        One scan alone, without windows.
    ParameterError
        A window is longer than the scan, or windows of several files.
    """
    if views is not None:
        if len(paths) > 1:
            raise ParameterError("windows are taken of one long scan; give one SERIES, or leave --window out")
        return _windows(paths[0], given, views, every or views)
    if every is not None:
        raise ParameterError("--every goes with --window: projections from one window to the next")
    if len(paths) > 1:
        return tuple(Moment(_numbered(k, len(paths), "scan"), path) for k, path in enumerate(paths))
    entries = () if "entry" in given else tuple(e for e in _entries(paths[0]) if not e.startswith(_WHOLE))
    if len(entries) < 2:
        raise InputError(
            f"{paths[0]} holds one scan; give the projections of a moment, such as --window 500, or several scans"
        )
    return tuple(
        Moment(_numbered(k, len(entries), "scan"), paths[0], entry) for k, entry in enumerate(entries)
    )


def _entries(path: Path) -> tuple[str, ...]:
    return formats.recognise(path)[0][1].entries


def _windows(path: Path, given: Mapping[str, Any], views: int, every: int) -> tuple[Moment, ...]:
    entry = None if "entry" in given else next((e for e in _entries(path) if e.startswith(_WHOLE)), None)
    whole_file = Moment("", path, entry)
    length = whole_file.open(given).shape[0]
    if not (1 <= views <= length and every >= 1):
        raise ParameterError(
            f"{path}: windows of {views} projections, {every} from one to the next, were asked for, but it has "
            f"{length}; give --window and --every from 1 to {length}"
        )
    count = (length - views) // every + 1
    return tuple(
        replace(whole_file, name=_numbered(k, count, "window"), views=views, step=every, number=k)
        for k in range(count)
    )


def _numbered(number: int, count: int, word: str) -> str:
    return f"{word}_{number:0{max(3, len(str(count - 1)))}d}"


def make_series(
    moments: Sequence[Moment],
    protocol: Protocol | None,
    folder: Path,
    given: Mapping[str, Any],
    *,
    choose: Any = None,
    each_axis: bool = False,
    on_moment: Any = None,
    on_progress: Progress = silent,
    **how: Any,
) -> list[dict[str, Any]]:
    """Make a record of each moment of a series, all by one protocol.

    Parameters
    ----------
    moments : sequence of Moment
        In the order of time.
    protocol : Protocol or None
        What is done with each; None asks `choose`.
    folder : Path
        Folder of the records, and of `series.json`, which lists them with their times.
    given : mapping
        Arguments of `tomarium.open`, for all.
    choose : callable, optional
        `choose(scan) -> Protocol`, by the first scan.
    each_axis : bool
        Whether the rotation axis is looked for in each moment; by default it is found in the middle one and used for
        all.
    on_moment : callable, optional
        Told number, how many, and the entry of `series.json`, after each; "reused" in it where its record was there.
    on_progress : callable
        `on_progress(section, done, total)`.
    **how
        As for `tomarium.catalogue.make_record.make_record`: rows, memory, executor, force.

    Returns
    -------
    list of dict
        The entries of `series.json`.

    Raises
    ------
    InputError
        The folder holds another series, or a moment cannot be used.
    CannotFit, Interrupted, StorageFull
        As `make_record`; the same call goes on with the moment that was not finished.
    """
    if not moments:
        raise InputError("the series has no moments")
    for each_moment in moments:
        demand_apart(each_moment.path, folder)
    middle = moments[len(moments) // 2].open(given)
    protocol = protocol if protocol is not None else choose(middle)
    request = _request(moments, protocol, given, each_axis, how.get("rows"), middle)
    notes = _begin(folder, request)
    if not each_axis and notes.get(_COLUMN) is None:
        notes[_COLUMN] = find_axis_for_all(
            middle,
            protocol,
            moments[len(moments) // 2].name,
            force=bool(how.get("force")),
            on_progress=on_progress,
        )
        write_json(folder / SERIES, notes)
    common_axis = notes[_COLUMN]
    protocol_used = (
        protocol
        if common_axis is None
        else with_parameter(protocol, f"{common_axis['step']}={common_axis['value']!r}")
    )
    entries: list[dict[str, Any]] = []
    for number, moment in enumerate(moments):
        place = folder / moment.name
        scan = moment.open(given)
        if common_axis is not None:
            demand_same_frames(scan, middle)
        reused = is_made(place)
        warnings: Sequence[str] = ()
        if not reused:
            title = f"{title_of(scan)}, {moment.name.replace('_', ' ')}"
            outcome = make_record(scan, protocol_used, place, title=title, on_progress=on_progress, **how)
            warnings = [*(common_axis or {}).get("warnings", ()), *outcome.provenance["warnings"]]
        entries.append(_entry(moment, scan, number))
        notes["moments"] = entries
        write_json(folder / SERIES, notes)
        if on_moment is not None:
            on_moment(number, len(moments), {**entries[-1], "reused": reused, "warnings": list(warnings)})
    return entries


def demand_same_frames(scan: Scan, other: Scan) -> None:
    """Refuse one rotation axis for two scans whose frames differ in size.

    Parameters
    ----------
    scan : Scan
        The scan that is to be reconstructed.
    other : Scan
        The scan its axis was found in.

    Raises
    ------
    InputError
        Frames of different size.
    """
    if scan.shape[1:] != other.shape[1:]:
        raise InputError(
            f"{scan.path}: frames of {scan.shape[1]} × {scan.shape[2]} pixels share no axis with those of "
            f"{other.path}, {other.shape[1]} × {other.shape[2]}; look for the axis of each, with --each-axis"
        )


def is_made(place: Path) -> bool:
    """Tell whether a record is finished.

    Parameters
    ----------
    place : Path
        Its folder.

    Returns
    -------
    bool
        True where the run has come to its end and the record is filed.
    """
    return not is_unfinished(place) and (place / CRATE).is_file()


def title_of(scan: Scan) -> str:
    """Return the title that a scan has of its own, else its name."""
    own = scan.metadata.get("sample_name") or scan.metadata.get("title")
    return str(own.value) if own and str(own.value).strip() else scan.name


def _request(
    moments: Sequence[Moment],
    protocol: Protocol,
    given: Mapping[str, Any],
    each_axis: bool,
    rows: slice | None,
    scan: Scan,
) -> dict[str, Any]:
    request: dict[str, Any] = plain(
        {
            "moments": [
                [moment.name, moment.path.name, moment.entry, moment.views, moment.step, moment.number]
                for moment in moments
            ],
            "protocol": to_data(protocol),
            "given": {name: str(value) for name, value in given.items()},
            "each_axis": each_axis,
            "rows": None if rows is None else [rows.start, rows.stop],
            "fingerprint": fingerprint_of(scan),
        }
    )
    return dict(json.loads(json.dumps(request)))


def _begin(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Make the folder, or read what an earlier run of the same series left."""
    before = read_json(folder / SERIES) if folder.is_dir() else None
    if before is not None:
        if not isinstance(before, dict) or before.get("request") != request:
            request_before = before.get("request", {}) if isinstance(before, dict) else {}
            changed = ", ".join(sorted(k for k in request if request[k] != request_before.get(k)))
            raise InputError(
                f"{folder} holds a series that asked for something else ({changed}); repeat that command to go on with "
                f"it, or choose another folder with -o"
            )
        return before
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is no empty folder; choose another with -o, or empty it")
    folder.mkdir(parents=True, exist_ok=True)
    notes: dict[str, Any] = {"request": request, _COLUMN: None, "moments": []}
    write_json(folder / SERIES, notes)
    return notes


def find_axis_for_all(
    scan: Scan, protocol: Protocol, name: str, *, force: bool = False, on_progress: Progress = silent
) -> dict[str, Any] | None:
    """Find the rotation axis in one scan, for several.

    Parameters
    ----------
    scan : Scan
        The scan it is found in.
    protocol : Protocol
        What is done with all of them.
    name : str
        What the scan is called among them.
    force : bool
        Whether to go on where the frames cannot give a right volume.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    dict or None
        `value`, `step` ("fbp.axis_column"), `source`, `confidence` and `warnings`; None where the protocol needs no
        axis, or it is told already.

    Raises
    ------
    InputError
        The scan or the protocol cannot be used.
    """
    checked_scan = checked(scan, protocol, force=force)
    first = resolve(protocol, checked_scan)
    if not any(_COLUMN in item.awaits for item in first.items):
        return None
    answers = ask_probes(checked_scan, protocol, Journal(None, {}), on_progress)
    resolution = resolve(protocol, checked_scan, answers)
    item = next(item for item in resolution.work if _COLUMN in item.values)
    value = item.values[_COLUMN]
    return {
        "value": float(value.value),
        "step": f"{item.step.name}.{_COLUMN}",
        "source": f"{value.source}, found in {name} for all",
        "confidence": next(
            (str(answer["confidence"]) for answer in answers.values() if "confidence" in answer), ""
        ),
        "warnings": [
            warning
            for probe in resolution.probes
            if isinstance(probe.step, Probe)
            for warning in probe.step.warnings(answers[probe.key])
        ],
    }


def _entry(moment: Moment, scan: Scan, number: int) -> dict[str, Any]:
    angles = scan.angles_deg.value
    time = scan.metadata.get("start_time") if moment.views is None else None
    first = None if moment.views is None else (moment.number or 0) * (moment.step or 1)
    entry: dict[str, Any] = plain(
        {
            "record": moment.name,
            "number": number,
            "source": moment.path.name,
            "entry": moment.entry,
            "first_projection": first,
            "projections": scan.shape[0],
            "first_angle_deg": float(angles[0]),
            "last_angle_deg": float(angles[-1]),
            "start_time": None if time is None else str(time.value),
        }
    )
    return entry
