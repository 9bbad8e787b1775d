"""Write a scan for PyHST2: the parameter file, and its frames as EDF files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import __version__
from tomarium.errors import FormatError, InputError
from tomarium.formats.edf.writer import scan_range, taken_before, write_series
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.pyhst.par_syntax import parse_par
from tomarium.formats.raw.info import in_micrometres
from tomarium.formats.resumable.folder import creating_folder, is_begun
from tomarium.formats.resumable.full_disk import write_text
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Image, Scan
from tomarium.model.half_acquisition import is_half_acquisition

# ROTATION_AXIS_POSITION counts from the edge of the first pixel, columns here from its centre.
HALF_PIXEL: Final = 0.5
# Types PyHST2 reads, and what else is turned into them without loss.
_TYPES: Final = {
    "uint16": "uint16",
    "float32": "float32",
    "uint8": "uint16",
    "int8": "float32",
    "int16": "float32",
    "bool": "uint16",
    "float16": "float32",
}


def write(
    path: Path,
    scan: Scan | Image,
    *,
    lossy: bool = False,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a scan for PyHST2 as tomodata lays it out: `<name>.par` and the EDF files in `<name>_edfs`.

    `path`: a name that ends in `.par` makes that file with the folder of frames beside it; any other name
    makes a folder that holds both. Paths in the `.par` are relative, so start PyHST2 where it lies. `scan`:
    frames become uint16 or float32, what PyHST2 reads. `lossy`: write frames that fit into neither exactly as
    float32, rounded. Raises InputError: it is no scan, its frames would be rounded, its angles say nothing,
    or its name cannot stand in a `.par`; nothing is written then.
    """
    if not isinstance(scan, Scan):
        raise InputError(f"{path}: only a scan can be written as a .par; write a volume as .vol")
    _check_angles(path, scan)
    _check_name(path, scan)
    dtype = _type(path, scan, lossy)
    origin = origin_of(scan, "pyhst-par") if resume else None
    if path.suffix.lower() == ".par":
        frames = path.with_name(f"{path.stem}_edfs")
        if path.exists() and not (resume and is_begun(frames)):
            raise FormatError(f"{path}: exists already; remove it or choose another path")
        with creating_folder(frames, origin) as folder:
            write_series(folder, path.stem, scan, dtype, with_angles=True, on_progress=on_progress)
            write_text(path, par_text(path.stem, scan))
        return
    with creating_folder(path, origin) as home:
        frames = home / f"{path.name}_edfs"
        frames.mkdir(exist_ok=True)
        write_series(frames, path.name, scan, dtype, with_angles=True, on_progress=on_progress)
        write_text(home / f"{path.name}.par", par_text(path.name, scan))


def _type(path: Path, scan: Scan, lossy: bool) -> np.dtype[Any]:
    """Choose the type of all frames, flats and darks among them."""
    stacks = {"projections": scan.projections}
    stacks |= {
        kind: reference.frames
        for kind, reference in (("flats", scan.flats), ("darks", scan.darks))
        if reference is not None
    }
    kinds = {stack: np.dtype(frames.dtype).name for stack, frames in stacks.items()}
    odd = [f"{stack} of {kind}" for stack, kind in kinds.items() if kind not in _TYPES]
    if odd and not lossy:
        raise InputError(
            f"{path}: {' and '.join(odd)} fit into neither uint16 nor float32, which PyHST2 reads; "
            f"allow it to be lossy (--lossy) to round them"
        )
    chosen = {_TYPES.get(kind, "float32") for kind in kinds.values()}
    return np.dtype(chosen.pop() if len(chosen) == 1 else "float32")  # which holds every uint16


def _check_angles(path: Path, scan: Scan) -> None:
    """Refuse angles with which a scan would not open again."""
    angles = scan.angles_deg.value
    if not np.isfinite(angles).all():
        raise InputError(
            f"{path}: {np.sum(~np.isfinite(angles))} of its angles are no finite numbers; give its angles"
        )
    if len(angles) > 1 and not np.ptp(angles):
        raise InputError(
            f"{path}: all {len(angles)} angles are {angles[0]:g}°, which says nothing; give its angles"
        )


def _check_name(path: Path, scan: Scan) -> None:
    """Refuse a name that reads back otherwise, for the frames would not be found."""
    name = path.stem if path.suffix.lower() == ".par" else path.name
    back = parse_par(par_text(name, scan).encode("utf-8", "surrogateescape"), str(path)).values.get(
        "FILE_PREFIX"
    )
    if back != f"{name}_edfs/{name}" or "\\" in name:  # of which readers make "/"
        raise InputError(
            f"{path}: the name {name!r} cannot stand in a parameter file, which reads it as {str(back)[:80]!r}; give a "
            f"name of letters, digits, - and _"
        )


def par_text(name: str, scan: Scan) -> str:
    """Write the parameter file of a scan whose frames lie in `<name>_edfs`.

    Result: the text; what the scan does not know is left out and said in a comment.
    """
    count, rows, columns = scan.shape
    source = " ".join(scan.path.name.split())
    lines = ["# pyHST_SLAVE PARAMETER FILE", f"# written by tomarium {__version__} from {source}", ""]
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
        sizes = scan.pixel_m.value, scan.pixel_m.value * scan.geometry.aspect
        lines += [f"IMAGE_PIXEL_SIZE_{k} = {in_micrometres(size)} # µm" for k, size in enumerate(sizes, 1)]
    lines += ["", *_reference_lines(name, scan), "", *_logarithm(scan), "", *_angle_lines(name, scan)]
    lines.append("ROTATION_VERTICAL = YES")
    if scan.axis_column is None:
        lines.append("# ROTATION_AXIS_POSITION is not known yet; find the axis and add it")
    else:
        edge = scan.axis_column.value + HALF_PIXEL
        lines.append(
            f"ROTATION_AXIS_POSITION = {edge!r} # from the first pixel's edge, {columns / 2:g} is the centre"
        )
    half, width = _half_acquisition(scan)
    lines += [*half, "", *(f"START_VOXEL_{axis} = 1" for axis in (1, 2, 3))]
    lines += [f"END_VOXEL_{axis} = {length}" for axis, length in ((1, width), (2, width), (3, rows))]
    lines += ["OVERSAMPLING_FACTOR = 4 # 0 is linear, 1 the nearest pixel", f"OUTPUT_FILE = {name}.vol"]
    return "\n".join(lines) + "\n"


def _half_acquisition(scan: Scan) -> tuple[list[str], int]:
    """Say that views are to be joined, where they are those of a half acquisition, and how wide slices are."""
    columns, axis = scan.shape[2], scan.axis_column
    if axis is None or not is_half_acquisition(scan.angles_deg.value, axis.value, columns):
        return [], columns
    edge = axis.value + HALF_PIXEL
    blend = max(1, int(min(edge, columns - edge)))
    return [
        "OPTIONS = {'padding':'E', 'axis_to_the_center':'Y', 'avoidhalftomo':'N'} # N joins a half acquisition",
        f"PENTEZONE = {blend} # pixels over which its views blend: from the axis to the nearer edge",
    ], columns + round(2 * abs(edge - columns / 2))


def _logarithm(scan: Scan) -> list[str]:
    if scan.domain == "attenuation":
        return ["TAKE_LOGARITHM = NO # the frames hold -ln(I/I0)"]
    return ["TAKE_LOGARITHM = YES"]


def _reference_lines(name: str, scan: Scan) -> list[str]:
    if scan.domain != "counts":  # references were applied already
        return ["SUBTRACT_BACKGROUND = NO", "CORRECT_FLATFIELD = NO"]
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
