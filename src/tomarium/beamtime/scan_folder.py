"""The scans of a folder, and which one a person means."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomarium import formats
from tomarium.beamtime.scan_parameters import ENDING
from tomarium.errors import FormatError, InputError
from tomarium.model import Image, Scan

_NO_SCANS: Final = (".png", ".txt", ".json", ".yaml", ".csv", ".log", ".html", ".md")
_MOST_NAMED: Final = 8


def scans_in(folder: Path) -> list[Path]:
    """List what may be a scan, by name, without what was made of scans.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    list of Path
        Files and folders that a format knows.
    """
    paths = []
    for path in sorted(folder.iterdir()):
        if not may_be_scan(path):
            continue
        try:
            matches = formats.recognise(path)
        except (FormatError, OSError):
            continue
        if matches and matches[0][1].score > 0:
            paths.append(path)
    return paths


def may_be_scan(path: Path) -> bool:
    """Tell by its name whether a file or folder may be a scan: what is hidden, a text or made of scans is not."""
    is_result = path.name.endswith(ENDING) or "_record" in path.name
    return not (path.name.startswith(".") or is_result or path.suffix.lower() in _NO_SCANS)


def scan_named(folder: Path, name: str) -> Path:
    """Find the scan of a folder that a person means.

    Parameters
    ----------
    folder : Path
        The folder.
    name : str
        Its name, with or without what is behind the last dot; its number in `scans_in`, from 1; or how its name begins.

    Returns
    -------
    Path
        The scan.

    Raises
    ------
    InputError
        There is none, or several begin so.
    """
    if not name.isdigit() and name not in ("", ".", "..") and (folder / name).exists():
        return folder / name
    names = scans_in(folder)
    paths = [path for path in names if name in (path.name, path.stem)]
    if not paths and name.isdigit() and 0 < int(name) <= len(names):
        paths = [names[int(name) - 1]]
    paths = paths or [path for path in names if path.name.startswith(name)]
    if len(paths) == 1:
        return paths[0]
    listed = ", ".join(path.name for path in (paths or names)[:_MOST_NAMED])
    kind = "several scans begin with" if paths else "there is no scan"
    raise InputError(f"{kind} {name!r} in {folder}; there are: {listed or 'none'}")


def demand_alike(scan: Scan, other: Scan | Image) -> None:
    """Refuse to take parameters in pixels from a scan with other frames.

    Parameters
    ----------
    scan : Scan
        The scan that takes them.
    other : Scan or Image
        What the other file holds.

    Raises
    ------
    InputError
        The other scan has frames of another size or pixel, or is none.
    """
    if isinstance(other, Scan) and _frame_size(other) == _frame_size(scan):
        return
    raise InputError(
        f"frames of {other.path} have another size or pixel than those of {scan.path}: lengths in pixels would be "
        "wrong; set the parameters here"
    )


def _frame_size(scan: Scan) -> tuple[int, int, float | None]:
    _, rows, columns = scan.shape
    return rows, columns, None if scan.pixel_m is None else float(scan.pixel_m.value)
