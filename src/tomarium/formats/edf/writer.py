"""Write a scan as a folder of EDF files with the ESRF's names, its `.info`, and its angles where they need it."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.formats.edf.header import SPELLINGS, edf_bytes
from tomarium.formats.edf.info import NUMBERS, TEXTS, info_text
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.resumable.folder import Tally, creating_folder, put, tally_of, write_frames
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Image, Scan
from tomarium.model.scan import Reference

# Name of the .info's key as it is written, by its lower case.
_KEYS = {
    "pixelsize": "PixelSize", "energy": "Energy", "distance": "Distance", "srcurrent": "SrCurrent",
    "count_time": "Count_time", "rotationaxiscolumn": "RotationAxisColumn", "title": "Title",
    "sample": "Sample", "date": "Date", "optic_used": "Optic_used", "scan_type": "Scan_Type",
    "scintillator": "Scintillator", "ccd": "CCD",
}  # fmt: skip


def write(
    path: Path, scan: Scan | Image, *, resume: bool = False, on_progress: OnProgress | None = None
) -> None:
    """Write a scan as a folder of EDF files.

    `path`: folder to make; the files are named after it. `scan`: frames keep their type; `refHSTMMMM.edf`,
    the median of the flats taken before projection MMMM, and `dark.edf`, the mean of the darks, are added as
    float32. Raises InputError: it is no scan, or its frames are of a type EDF does not hold.
    """
    if not isinstance(scan, Scan):
        raise InputError(f"{path}: only a scan can be written as an EDF series; write a volume as .vol")
    _check_type(path, np.dtype(scan.projections.dtype))
    with creating_folder(path, origin_of(scan, "edf") if resume else None) as folder:
        write_series(folder, path.name, scan, None, on_progress=on_progress)


def write_series(
    folder: Path,
    name: str,
    scan: Scan,
    dtype: np.dtype[Any] | None,
    *,
    with_angles: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write the files of an EDF scan into a folder.

    `dtype`: type to store; None keeps each stack's own. `with_angles`: write `angles.txt` even where the
    .info tells the angles exactly. `on_progress`: told of progress: bytes of frames written, bytes in all.
    """
    _check_type(folder, dtype or np.dtype(scan.projections.dtype))
    angles, tally = scan.angles_deg.value, tally_of(scan, on_progress)

    def projection(number: int, frame: NDArray[Any]) -> tuple[bytes]:
        header = {"motor_mne": "srot", "motor_pos": repr(float(angles[number]))}
        return (edf_bytes(header, frame if dtype is None else frame.astype(dtype)),)

    write_frames(scan.projections, lambda number: folder / f"{name}{number:04d}.edf", projection, tally)
    flats = _write_reference(folder, "ref", scan.flats, scan.shape[0], dtype, tally)
    _write_reference(folder, "dark", scan.darks, scan.shape[0], dtype, tally)
    (folder / f"{name}.info").write_text(info_text(_info(name, scan, flats)), "utf-8", "surrogateescape")
    turn = scan_range(angles)
    if (
        with_angles
        or turn is None
        or not np.array_equal(angles[0] + turn * np.arange(len(angles)) / len(angles), angles)
    ):
        text = "".join(f"{float(angle)!r}\n" for angle in angles)
        (folder / "angles.txt").write_text(f"# degrees, one for each projection\n{text}", "utf-8")


def _check_type(path: Path, kind: np.dtype[Any]) -> None:
    if kind.name not in SPELLINGS:
        raise InputError(f"{path}: EDF holds no {kind.name}; it holds {', '.join(SPELLINGS)}")


def scan_range(angles_deg: NDArray[np.float64]) -> float | None:
    """Return the range that equally spaced angles share, its end left out.

    Result: degrees; None where they are not equally spaced to a millionth of a step.
    """
    steps = np.diff(angles_deg)
    if not len(steps) or not steps[0] or np.abs(steps - steps.mean()).max() > 1e-6 * abs(steps.mean()):
        return None
    exact = len(angles_deg) * float(angles_deg[-1] - angles_deg[0]) / (len(angles_deg) - 1)
    return float(f"{exact:.12g}")


def taken_before(reference: Reference, count: int) -> list[int]:
    """Tell the projection each reference frame was taken before.

    Result: 0 before the first projection, `count` after the last.
    """
    return [min(count, max(0, math.ceil(position))) for position in reference.position]


def _write_reference(
    folder: Path,
    word: str,
    reference: Reference | None,
    count: int,
    dtype: np.dtype[Any] | None,
    tally: Tally,
) -> list[int]:
    """Write each frame, and the median of each set of flats or the mean of all darks."""
    if reference is None:
        return []
    at = taken_before(reference, count)
    names = [f"{word}{at[:number].count(place):04d}_{place:04d}.edf" for number, place in enumerate(at)]
    write_frames(
        reference.frames,
        lambda number: folder / names[number],
        lambda _, frame: (edf_bytes({}, frame if dtype is None else frame.astype(dtype)),),
        tally,
    )
    if word == "dark":
        mean = np.asarray(np.mean(reference.frames.read(slice(None), slice(None)), axis=0, dtype=np.float64))
        put(folder / "dark.edf", edf_bytes({}, mean.astype(np.float32)))
        return at
    for place in sorted(set(at)):
        chosen = reference.frames.read(np.flatnonzero(np.array(at) == place), slice(None))
        median: NDArray[Any] = np.asarray(np.median(chosen, axis=0), np.float32)
        put(folder / f"refHST{place:04d}.edf", edf_bytes({}, median))
    return at


def _info(name: str, scan: Scan, flats: list[int]) -> dict[str, str | int | float]:
    count, rows, columns = scan.shape
    places = sorted(set(flats))
    entries: dict[str, str | int | float] = {
        "Prefix": name,
        "TOMO_N": count,
        "Dim_1": columns,
        "Dim_2": rows,
        "REF_ON": places[1] - places[0] if len(places) > 1 else count,
        "REF_N": flats.count(places[0]) if places else 0,
        "DARK_N": scan.darks.frames.shape[0] if scan.darks else 0,
    }
    if len({flats.count(place) for place in places}) > 1:
        entries["REF_TOTAL"] = len(flats)  # tomarium's own: elsewhere all sets are of REF_N frames
    turn = scan_range(scan.angles_deg.value)
    if turn is not None:
        entries["ScanRange"] = repr(turn)
    for key, (field, power) in NUMBERS.items():
        value = getattr(scan, field, None) or scan.metadata.get(field)
        if value is not None:
            entries[_KEYS[key]] = f"{Decimal(repr(float(value.value))).scaleb(-power):f}"
    for key, field in TEXTS.items():
        if field in scan.metadata:
            entries[_KEYS[key]] = str(scan.metadata[field].value)
    return entries
