"""Write a scan for PyHST2: the parameter file, and its frames as EDF files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from tomarium import __version__
from tomarium.errors import FormatError, InputError
from tomarium.formats.edf_writer import scan_range, taken_before, write_series
from tomarium.formats.folder_draft import Tell, creating_folder, is_begun
from tomarium.formats.origins import origin_of
from tomarium.formats.slab_file import write_text
from tomarium.formats.volume_info import in_micrometres
from tomarium.model import Image, Scan

# ROTATION_AXIS_POSITION counts from the edge of the first pixel, columns here from its centre.
HALF_PIXEL: Final = 0.5
# Types PyHST2 reads, and what else is turned into them without loss.
_TYPES: Final = {
    "uint16": "uint16",
    "float32": "float32",
    "uint8": "uint16",
    "int8": "float32",
    "int16": "float32",
}


def write(
    path: Path,
    scan: Scan | Image,
    *,
    lossy: bool = False,
    resume: bool = False,
    tell: Tell | None = None,
) -> None:
    """Write a scan for PyHST2 as tomodata lays it out: `<name>.par` and the EDF files in `<name>_edfs`.

    Parameters
    ----------
    path : Path
        A name that ends in `.par` makes that file with the folder of frames beside it; any other name makes a
        folder that holds both. Paths in the `.par` are relative, so start PyHST2 where it lies.
    scan : Scan
        What to write; frames become uint16 or float32, what PyHST2 reads.
    lossy : bool
        Write frames that fit into neither exactly as float32, rounded.
    resume : bool
        Whether a run that stops leaves what it has, and goes on from there when it is repeated.
    tell : callable or None
        Told of progress: bytes of frames written, bytes in all.

    Raises
    ------
    FormatError
        There is something at the path already.
    InputError
        It is no scan, or its frames would be rounded.
    StorageFull
        The disk is full; nothing is left behind.
    """
    if not isinstance(scan, Scan):
        raise InputError(f"{path}: only a scan can be written as a .par; write a volume as .vol")
    kind = np.dtype(scan.projections.dtype).name
    if kind not in _TYPES and not lossy:
        raise InputError(
            f"{path}: frames of {kind} fit into neither uint16 nor float32, which PyHST2 reads; "
            f"allow it to be lossy (--lossy) to round them"
        )
    dtype = np.dtype(_TYPES.get(kind, "float32"))
    origin = origin_of(scan, "pyhst-par") if resume else None
    if path.suffix.lower() == ".par":
        frames = path.with_name(f"{path.stem}_edfs")
        if path.exists() and not (resume and is_begun(frames)):
            raise FormatError(f"{path}: exists already; remove it or choose another path")
        with creating_folder(frames, origin) as folder:
            write_series(folder, path.stem, scan, dtype, with_angles=True, tell=tell)
            write_text(path, par_text(path.stem, scan))
        return
    with creating_folder(path, origin) as home:
        frames = home / f"{path.name}_edfs"
        frames.mkdir(exist_ok=True)
        write_series(frames, path.name, scan, dtype, with_angles=True, tell=tell)
        write_text(home / f"{path.name}.par", par_text(path.name, scan))


def par_text(name: str, scan: Scan) -> str:
    """Write the parameter file of a scan whose frames lie in `<name>_edfs`.

    Parameters
    ----------
    name : str
        Beginning of the frames' names.
    scan : Scan
        The scan.

    Returns
    -------
    str
        The text; what the scan does not know is left out and said in a comment.
    """
    count, rows, columns = scan.shape
    lines = ["# pyHST_SLAVE PARAMETER FILE", f"# written by tomarium {__version__} from {scan.path.name}", ""]
    lines += [
        f"FILE_PREFIX = {name}_edfs/{name}",
        "NUM_FIRST_IMAGE = 0",
        f"NUM_LAST_IMAGE = {count - 1}",
        "NUMBER_LENGTH_VARIES = NO",
        "LENGTH_OF_NUMERICAL_PART = 4",
        "FILE_POSTFIX = .edf",
        "FILE_INTERVAL = 1",
        "",
        f"NUM_IMAGE_1 = {columns} # pixels of a row",
        f"NUM_IMAGE_2 = {rows} # rows",
    ]
    if scan.pixel_m is None:
        lines.append("# IMAGE_PIXEL_SIZE_1 and _2, µm, are not known; add them")
    else:
        lines += [f"IMAGE_PIXEL_SIZE_{axis} = {in_micrometres(scan.pixel_m.value)} # µm" for axis in (1, 2)]
    lines += ["", *_reference_lines(name, scan), "", "TAKE_LOGARITHM = YES", "", *_angle_lines(name, scan)]
    lines.append("ROTATION_VERTICAL = YES")
    if scan.axis_column is None:
        lines.append("# ROTATION_AXIS_POSITION is not known yet; find the axis and add it")
    else:
        edge = scan.axis_column.value + HALF_PIXEL
        lines.append(
            f"ROTATION_AXIS_POSITION = {edge!r} # from the first pixel's edge, {columns / 2:g} is the centre"
        )
    lines += ["", *(f"START_VOXEL_{axis} = 1" for axis in (1, 2, 3))]
    lines += [f"END_VOXEL_{axis} = {length}" for axis, length in ((1, columns), (2, columns), (3, rows))]
    lines += ["OVERSAMPLING_FACTOR = 4 # 0 is linear, 1 the nearest pixel", f"OUTPUT_FILE = {name}.vol"]
    return "\n".join(lines) + "\n"


def _reference_lines(name: str, scan: Scan) -> list[str]:
    lines = ["SUBTRACT_BACKGROUND = NO"]
    if scan.darks is not None:
        lines = ["SUBTRACT_BACKGROUND = YES", f"BACKGROUND_FILE = {name}_edfs/dark.edf"]
    if scan.flats is None:
        return [*lines, "CORRECT_FLATFIELD = NO"]
    lines.append("CORRECT_FLATFIELD = YES")
    places = sorted(set(taken_before(scan.flats, scan.shape[0])))
    if len(places) == 1:
        return [*lines, "FLATFIELD_CHANGING = NO", f"FLATFIELD_FILE = {name}_edfs/refHST{places[0]:04d}.edf"]
    steps = np.diff(places)
    if np.ptp(steps):
        lines.append(
            f"# flats were taken before projections {', '.join(map(str, places))}: PyHST2 takes equal steps,"
        )
        lines.append("# so it gets the first and the last")
    step = places[-1] - places[0] if np.ptp(steps) else int(steps[0])
    return [
        *lines,
        "FLATFIELD_CHANGING = YES",
        f"FF_PREFIX = {name}_edfs/refHST",
        f"FF_NUM_FIRST_IMAGE = {places[0]}",
        f"FF_NUM_LAST_IMAGE = {places[-1]}",
        "FF_NUMBER_LENGTH_VARIES = NO",
        "FF_LENGTH_OF_NUMERICAL_PART = 4",
        "FF_POSTFIX = .edf",
        f"FF_FILE_INTERVAL = {step}",
    ]


def _angle_lines(name: str, scan: Scan) -> list[str]:
    angles = scan.angles_deg.value
    turn = scan_range(angles)
    if turn is None:
        return [f"ANGLES_FILE = {name}_edfs/angles.txt # degrees, one for each projection"]
    step = turn / len(angles)
    lines = [f"ANGLE_BETWEEN_PROJECTIONS = {step!r} # degrees"]
    if not np.array_equal(step * np.arange(len(angles)), angles):
        lines.append(f"ANGLES_FILE = {name}_edfs/angles.txt # degrees, one for each projection")
    return lines
