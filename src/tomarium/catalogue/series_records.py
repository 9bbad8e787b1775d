"""Records that are moments of one series: filed together, and found from any of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from tomarium import units
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.facets import SERIES as SERIES_FACET
from tomarium.catalogue.ingest import ingest, save
from tomarium.catalogue.make_series import SERIES
from tomarium.catalogue.queries import Place, place_of
from tomarium.catalogue.reader import LOCAL_OWNER, Reader, may_see
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.store import write_crate
from tomarium.catalogue.tables import facets, records
from tomarium.errors import FormatError, InputError
from tomarium.model import Record, Value
from tomarium.pipeline.run.journal import is_unfinished, read_json
from tomarium.standards.ro_crate import FILENAME, export

KEYS: Final = ("series", "series_moment", "series_moments", "series_time_s", "series_angle_deg")
"""Parameters that tell a record's place in its series; the first names the series."""
MOST: Final = 100_000
_NAME: Final = re.compile(r"(scan|window)_\d{3,7}", re.ASCII)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,79}", re.ASCII)


@dataclass(frozen=True)
class InSeries:
    """The place of a record in its series.

    Attributes
    ----------
    series : str
        Identifier of the series.
    number, count : int
        "Moment 3 of 12" has 3 and 12.
    time_s : float or None
        From the start of the first moment to the start of this one, where the scans tell when they began.
    angle_deg : float or None
        Angle of its first projection, of windows of one long scan.
    """

    series: str
    number: int
    count: int
    time_s: float | None = None
    angle_deg: float | None = None


def in_series(record: Record) -> InSeries | None:
    """Tell which moment of which series a record is.

    Parameters
    ----------
    record : Record
        Any.

    Returns
    -------
    InSeries or None
        None where it tells of none, or what it tells cannot be.
    """
    values = {key: record.parameters[key].value for key in KEYS if key in record.parameters}
    series, number, count = (values.get(key) for key in KEYS[:3])
    if not (isinstance(series, str) and _ID.fullmatch(series)):
        return None
    if type(number) is not int or type(count) is not int or not 1 <= number <= count <= MOST:
        return None
    time_s, angle_deg = (_number(values.get(key)) for key in KEYS[3:])
    return InSeries(series, number, count, time_s, angle_deg)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def places_of_series(connection: Connection, reader: Reader, series: str, like: str) -> dict[str, Place]:
    """Find the records of a series that a reader may see.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    series : str
        Identifier of the series.
    like : str
        Identifier of one of its records; those of another owner, who may have copied the identifier of the series,
        do not belong to it.

    Returns
    -------
    dict of str to Place
        Identifier → place of the record, in no order.
    """
    owner = select(records.c.owner).where(records.c.id == like).scalar_subquery()
    sets = select(facets.c.facets).where(facets.c.name == SERIES_FACET, facets.c.value == series)
    result = connection.execute(
        select(records.c.id).where(records.c.facets.in_(sets), records.c.owner == owner, may_see(reader))
    )
    places = {id: place_of(connection, reader, id) for id in result.scalars()}
    return {id: place for id, place in places.items() if place is not None}


def is_series(folder: Path) -> bool:
    """Tell whether a folder is that of a series, as `tomarium series` makes it.

    Parameters
    ----------
    folder : Path
        Any.

    Returns
    -------
    bool
        It holds a `series.json`.
    """
    return (folder / SERIES).is_file()


def names_of_moments(folder: Path) -> tuple[str, ...]:
    """Name the folders of all moments of a series, also of those that were not finished.

    Parameters
    ----------
    folder : Path
        Of the series.

    Returns
    -------
    tuple of str
        In the order of time.

    Raises
    ------
    FormatError
        Its `series.json` is damaged.
    """
    return tuple(_read(folder)[0])


def finished_moments(folder: Path) -> list[tuple[InSeries, Record, Path]]:
    """Read the finished moments of a series from its folder, filed or not.

    Parameters
    ----------
    folder : Path
        Of the series.

    Returns
    -------
    list of InSeries, Record and Path
        The place, the record and its folder, in the order of time.

    Raises
    ------
    FormatError
        Its `series.json` or a crate is damaged.
    """
    moments = []
    for name in names_of_moments(folder):
        place = folder / name
        if (place / FILENAME).is_file() and not is_unfinished(place):
            record = read_record(place)
            moment = in_series(replace(record, parameters=_parameters(folder, name)))
            assert moment is not None
            moments.append((moment, record, place))
    return moments


def filed_moments(catalogue: Catalogue, reader: Reader, id: str) -> list[tuple[InSeries, Record, Path]]:
    """Find all moments of the series of a record whose files a reader may open.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks.
    id : str
        Identifier of one of its records.

    Returns
    -------
    list of InSeries, Record and Path
        The place, the record and its folder, in the order of time; empty where it is no moment of a series.
    """
    with catalogue.reading() as connection:
        own = place_of(connection, reader, id)
        place = in_series(read_record(own.folder)) if own is not None and own.open else None
        places = places_of_series(connection, reader, place.series, id) if place else {}
    moments = []
    for moment_place in (place for place in places.values() if place.open):
        record = read_record(moment_place.folder)
        if (moment := in_series(record)) is not None:
            moments.append((moment, record, moment_place.folder))
    return sorted(moments, key=lambda moment: (moment[0].number, moment[1].id != id, moment[1].id))


def when(place: InSeries) -> str:
    """Tell when a moment was, for people.

    Parameters
    ----------
    place : InSeries
        Its place in the series.

    Returns
    -------
    str
        "80 s" since the first moment, "from 360°" of a window of one long scan; "" where neither is told.
    """
    if place.time_s is not None:
        return units.show(place.time_s, "s", digits=4)
    return "" if place.angle_deg is None else f"from {place.angle_deg:.4g}°"


def file_series(
    catalogue: Catalogue, folder: Path, *, checksums: bool = True, reader: Reader = LOCAL_OWNER
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """File all moments of a series, each knowing its place in it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    folder : Path
        Of the series: `series.json` beside the folders of the records.
    checksums : bool
        Whether the files of the records are compared with their checksums.
    reader : Reader
        Whose the records become.

    Returns
    -------
    records : tuple of Record
        Those that are in the catalogue now, in the order of time.
    problems : tuple of str
        Moments that are missing or cannot be filed, each with its reason.

    Raises
    ------
    FormatError
        Its `series.json` is damaged.
    """
    names, _, _ = _read(folder)
    filed, problems = [], []
    for name in names:
        place = folder / name
        if not (place / FILENAME).is_file() or is_unfinished(place):
            problems.append(
                f"{place}: this moment was not finished; repeat the command of `tomarium series`, then file it again"
            )
            continue
        try:
            filed.append(file_moment(catalogue, place, checksums=checksums, reader=reader))
        except (FormatError, InputError) as problem:
            problems.append(str(problem))
    return tuple(filed), tuple(problems)


def file_moment(
    catalogue: Catalogue, place: Path, *, checksums: bool = True, reader: Reader = LOCAL_OWNER
) -> Record:
    """File a record; where it is a moment of a series, its crate tells which one.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    place : Path
        Folder of the record.
    checksums : bool
        Whether its files are compared with their checksums.
    reader : Reader
        Whose it becomes.

    Returns
    -------
    Record
        As it is in the catalogue now.

    Raises
    ------
    FormatError, InputError
        As `tomarium.catalogue.ingest.ingest`.
    """
    record = ingest(catalogue, place, checksums=checksums, reader=reader)
    folder = place.resolve() if isinstance(place, Path) else place
    if not (is_series(folder.parent) and folder.name in names_of_moments(folder.parent)):
        return record
    own_parameters = _parameters(folder.parent, folder.name)
    if {key: record.parameters.get(key) for key in KEYS} == {key: own_parameters.get(key) for key in KEYS}:
        return record
    other_parameters = {key: value for key, value in record.parameters.items() if key not in KEYS}
    record = replace(record, parameters={**other_parameters, **own_parameters})
    write_crate(folder / FILENAME, export(record).encode())
    with catalogue.writing() as connection:
        save(connection, record, folder, reader)
    return record


def _read(folder: Path) -> tuple[list[str], Mapping[str, Any], Sequence[Mapping[str, Any]]]:
    """Return the names of all moments, what was asked for, and what is told of those that were finished."""
    try:
        series = read_json(folder / SERIES)
        request, entries = series["request"], series["moments"]
        names = [str(moment[0]) for moment in request["moments"]]
        finished = [dict(entry) for entry in entries]
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise FormatError(
            f"{folder / SERIES}: lists no moments of a series; repeat the command of `tomarium series`"
        ) from problem
    misfit = next((name for name in names if not _NAME.fullmatch(name)), None)
    if misfit is not None or not names:
        raise FormatError(
            f"{folder / SERIES}: names the moment {str(misfit)[:60]!r}; expected are folders such as scan_000; repeat "
            f"the command of `tomarium series`"
        )
    return names, request, finished


def _parameters(folder: Path, name: str) -> dict[str, Value[Any]]:
    """Write the place of a moment in its series as parameters of its record."""
    names, request, finished = _read(folder)
    own = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:8]
    source = Path(str(request["moments"][0][1])).stem
    words = re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-")[:48] or "series"
    entries = {str(entry.get("record")): entry for entry in finished}
    entry = entries.get(name, {})
    values: dict[str, Any] = {
        "series": f"{words}-{own}",
        "series_moment": names.index(name) + 1,
        "series_moments": len(names),
        "series_time_s": _seconds(entries.get(names[0], {}), entry),
        "series_angle_deg": _number(entry.get("first_angle_deg"))
        if entry.get("first_projection") is not None
        else None,
    }
    return {key: Value(value, "derived", SERIES) for key, value in values.items() if value is not None}


def _seconds(first: Mapping[str, Any], own: Mapping[str, Any]) -> float | None:
    """Return the time from the start of one scan to that of another; None where it is not told."""
    try:
        begun, now = (datetime.fromisoformat(str(entry["start_time"])) for entry in (first, own))
        return (now - begun).total_seconds()
    except (KeyError, ValueError, TypeError):  # TypeError: one has a time zone and the other has not
        return None
