"""Which scan a job works on: the raw scan of a record, or a file in a folder that the portal's owner serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from tomarium import formats
from tomarium.beamtime.scan_folder import may_be_scan
from tomarium.catalogue import Catalogue
from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import InputError
from tomarium.model import Part, Record, Scan

RECORD: Final = "record:"
PATH: Final = "path:"
SCANS: Final = ("raw", "corrected")
"""Roles of projections that a volume can be made of."""
MOST_LISTED: Final = 500
"""Names of a folder that are listed at most."""


def scan_part(record: Record) -> Part | None:
    """Return the scan of a record, raw or corrected, where it is one of a scan whose file lies in its folder."""
    part = record.parts[0] if record.parts else None
    is_scan = part is not None and part.kind == "projections" and part.role in SCANS and not record.volume
    return part if is_scan else None


def reader_named(connection: Connection, name: str) -> Reader:
    """Return who asked for a job, as the catalogue knows them now.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    name : str
        `asked_by` of the job.

    Returns
    -------
    Reader
        The owner of this machine, whose name no account has, or the account.

    Raises
    ------
    InputError
        There is no such account, it was closed, or it only looks.
    """
    if name == LOCAL_OWNER.name:
        return LOCAL_OWNER
    account = account_named(connection, name)
    if account.closed or account.role == "visitor":
        raise InputError(f"the account {name} is closed or only looks, so nothing is reconstructed for it")
    return account.reader


def find_source(catalogue: Catalogue, asked_by: str, source: str) -> tuple[Path, Path, Reader]:
    """Find the scan of a job, for who asked for it and may have its files now; nothing of it is read.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    asked_by : str
        Who asked for the job.
    source : str
        "record:ID", or "path:/folder/file" of the owner of this machine.

    Returns
    -------
    Path, Path, Reader
        The file, the folder in which all lies that it may lead to, and who asked. A file of the owner of this machine
        may lead to any other, as those of beamlines do.

    Raises
    ------
    InputError
        There is no such record that they may have, or it holds no raw scan.
    """
    with catalogue.reading() as connection:
        reader = reader_named(connection, asked_by)
        place = (
            place_of(connection, reader, source.removeprefix(RECORD)) if source.startswith(RECORD) else None
        )
    if source.startswith(PATH) and reader == LOCAL_OWNER:
        path = Path(source.removeprefix(PATH))
        return path, Path(path.anchor), reader
    if place is None or not place.open:
        raise InputError(
            f"there is no scan {source.partition(':')[2][:80]!r} whose files are open to {asked_by}"
        )
    record = read_record(place.folder)
    part = scan_part(record)
    if part is None:
        raise InputError(f"the record {record.id} holds no raw scan; choose one of a raw scan")
    return place.folder / part.path, place.folder, reader


def open_scan(path: Path) -> Scan:
    """Open a scan.

    Parameters
    ----------
    path : Path
        A file or a folder.

    Returns
    -------
    Scan
        Its frames are read when they are asked for.

    Raises
    ------
    InputError
        It holds no scan, or cannot be opened.
    """
    opened = formats.open(path)
    if not isinstance(opened, Scan):
        raise InputError(f"{path.name} holds an image of shape {opened.shape}, not a scan with projections")
    return opened


def below(folders: Sequence[Path], text: str) -> Path:
    """Return a path that lies in one of some folders.

    Parameters
    ----------
    folders : sequence of Path
        Those that are served.
    text : str
        From an address or a form; any text.

    Returns
    -------
    Path
        It is there; links are followed, and what they lead to lies in a folder too.

    Raises
    ------
    InputError
        It is not there, or lies in none of them.
    """
    homes = [folder.resolve() for folder in folders]
    try:
        path = Path(text).resolve()
        is_below = path.exists() and any(path.is_relative_to(home) for home in homes)
    except (OSError, ValueError):
        is_below = False
    if not is_below:
        listed = ", ".join(map(str, folders)) or "none; start it with: tomarium serve --scans FOLDER"
        raise InputError(
            f"{text[:200]!r} is not there or lies in no folder that is served (folders: {listed})"
        )
    return path


def listed(folder: Path) -> Iterator[Path]:
    """List what may be a scan, and folders, by name alone: no file is opened; at most 500."""
    names = (path for path in sorted(folder.iterdir()) if may_be_scan(path))
    yield from (path for path, _ in zip(names, range(MOST_LISTED), strict=False))


def facts_of(scan: Scan) -> Mapping[str, Any]:
    """Tell what a page shows of a scan: pairs of name and value in words, and the numbers that its sliders need."""
    from tomarium.catalogue.scan_parameters import parameters_of
    from tomarium.model import parameter

    views, rows, columns = scan.shape
    parameters = parameters_of(scan)
    names = (
        "pixel_m",
        "energy_kev",
        "distance_m",
        "axis_column",
        "first_angle_deg",
        "last_angle_deg",
        "flats",
        "darks",
    )
    pairs = [("Projections", f"{views} of {columns} × {rows} pixels")]
    pairs += [
        (parameter.label(key), parameter.show(key, parameters[key].value))
        for key in names
        if key in parameters
    ]
    pairs += [("Numbers", scan.domain), ("Format", f"{scan.format} ({scan.dialect})")]
    return {
        "name": scan.name,
        "pairs": [list(pair) for pair in pairs],
        "views": views,
        "rows": rows,
        "columns": columns,
        "pixel_m": None if scan.pixel_m is None else float(scan.pixel_m.value),
        "energy_kev": None if scan.geometry.energy_kev is None else float(scan.geometry.energy_kev.value),
        "distance_m": None if scan.geometry.distance_m is None else float(scan.geometry.distance_m.value),
        "axis_column": None if scan.axis_column is None else float(scan.axis_column.value),
        "warnings": list(scan.warnings),
    }
