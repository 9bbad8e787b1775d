"""PyHST2 parameter files: a `.par` opens as the scan it describes, where its frames are there.

Where files lie: a `.par` names them by absolute paths of the beamline. A file outside the `.par`'s own folder, and
those its user trusts, is never opened; one of the same name inside it is taken instead, as a copied scan has it.

ROTATION_AXIS_POSITION counts from the left edge of the first pixel: its writers give NUM_IMAGE_1 / 2 for a centred
axis. Columns here count from the centre of the first pixel, where that axis lies at (NUM_IMAGE_1 - 1) / 2; so half
a pixel is taken off on reading and added on writing.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.edf.info import metadata_of, values_of
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.opening.angle_file import numbers
from tomarium.formats.opening.angles import assumed_angles
from tomarium.formats.opening.par_motors import motors_of
from tomarium.formats.opening.pixel_aspect import aspect_of
from tomarium.formats.opening.shift_file import read_shifts
from tomarium.formats.pyhst.par_corrections import corrections, noted_delta_beta
from tomarium.formats.pyhst.par_frames import (
    TypedPar,
    inside,
    raw_info,
    read_darks,
    read_flats,
    read_projections,
)
from tomarium.formats.pyhst.par_syntax import LONGEST, ParFile, parse_par
from tomarium.formats.pyhst.par_writer import HALF_PIXEL, write
from tomarium.model import Domain, Frames, Geometry, Scan, Value

KNOWN: Final = re.compile(
    rb"^\s*(FILE_PREFIX|NUM_FIRST_IMAGE|NUM_LAST_IMAGE|NUM_IMAGE_1|ANGLE_BETWEEN_PROJECTIONS|ROTATION_AXIS_POSITION)"
    rb"\s*=",
    re.MULTILINE,
)
# Keys that say how the scan was taken and are not followed here: when they do, and what is said of it.
_UNUSUAL: Final = (
    ("DXPERPROJ", "the sample moves sideways from projection to projection, which is not made up for"),
    (
        "DZPERPROJ",
        "the scan is helical; its projections were read as those of a circle: step gather_helix is for it",
    ),
    ("CONICITY", "the beam is a cone; a parallel beam is assumed"),
    ("CONICITY_FAN", "the beam is a fan; a parallel beam is assumed"),
    ("DISTORTION_FILE", "the detector distorts; its maps of distortion were not applied"),
    ("STEAM_INVERTER", "PyHST2 is to project a volume; what FILE_PREFIX names was read as projections"),
)
# A file with a zero byte here is no text, and the rest of it is not read.
_HEAD: Final = 4096


def detect(path: Path) -> Match | None:
    """Look for a parameter file, or a folder that holds one."""
    if path.is_dir():
        par_files = sorted(file for file in path.glob("*.par") if file.is_file())
        if not par_files:
            return None
        likely_files = [file for file in par_files if file.stem == path.name] or par_files
        if len(likely_files) > 1:
            names = ", ".join(file.name for file in likely_files[:5])
            return no_match(f"it holds {len(likely_files)} parameter files, {names}; give the one you mean")
        if any(path.glob("*.nxs")):
            return no_match(f"{likely_files[0].name} lies beside NeXus files, which hold the frames")
        match_of_file = _detect_file(likely_files[0])
        return match_of_file and Match(
            min(match_of_file.score, 0.75),
            match_of_file.dialect,
            f"{likely_files[0].name} is {match_of_file.why}",
        )
    return _detect_file(path) if path.is_file() else None


def _detect_file(path: Path) -> Match | None:
    try:
        if path.stat().st_size > LONGEST:
            return None
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            content = b"" if b"\0" in head else head + stream.read()
    except OSError:
        return None
    keys = {key.decode() for key in KNOWN.findall(content)}
    if len(keys) < 2 or b"\0" in content:
        return None
    if "FILE_PREFIX" not in keys:
        return no_match("a PyHST2 parameter file without FILE_PREFIX, so it names no projections")
    return Match(0.9, "par", f"a PyHST2 parameter file: it has {', '.join(sorted(keys))}")


def read_par(path: Path) -> ParFile:
    """Read a parameter file.

    Result: its statements; `values` holds what they say.
    """
    try:
        if path.stat().st_size > LONGEST:
            raise FormatError(f"{path}: has {path.stat().st_size} bytes; a parameter file is far shorter")
        return parse_par(path.read_bytes(), str(path))
    except OSError as problem:
        raise FormatError(f"{path}: cannot be read ({problem.strerror}); copy it again") from problem


def read(path: Path, match: Match) -> Scan:
    """Open the scan a parameter file describes.

    `path`: the file, or the folder that holds it. Result: what the `.par` does not tell, such as the energy,
    comes from the `.info` beside the frames. Where no projection is there, the scan opens and says what is
    missing. Raises FormatError: a value it needs is absent or no number, or some of the projections are
    absent.
    """
    place = path
    if path.is_dir():
        par_files = sorted(path.glob("*.par"))
        place = next(
            (file for file in par_files if file.stem == path.name), par_files[0] if par_files else path
        )
    par = TypedPar(place, read_par(place))
    warnings: list[str] = [
        f"{key} comes more than once; the last value was taken" for key in par.file.twice()
    ]
    projections, folder, missing = read_projections(par)
    count = projections.shape[0]
    flats, darks = (
        (None, None) if missing else (read_flats(par, count, warnings), read_darks(par, count, warnings))
    )
    info, source = raw_info(par, folder)
    values, warnings_of_info = values_of(info, source)
    _check_size(par, projections, warnings)
    pixel = _pixel(par, 1) or values.get("pixel_m")
    _check_paganin(par, values, warnings)
    _check_geometry(par, warnings)
    warnings += [correction.told() for correction in corrections(par)]
    columns, rows = _shifts(par, count, warnings)
    metadata = metadata_of(info, values, source)
    metadata |= {
        f"/{place.name}/{key}": Value(_plain(value), "read", place.name)
        for key, value in par.file.values.items()
    }
    return Scan(
        path=path,
        name=place.stem,
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=projections,
        geometry=Geometry(
            angles_deg=_angles(par, count, warnings),
            pixel_m=pixel,
            pixel_aspect=aspect_of(_pixel(par, 1), _pixel(par, 2)),
            energy_kev=values.get("energy_kev"),
            distance_m=values.get("distance_m"),
            axis_column=_axis(par),
            shift_columns_px=columns,
            shift_rows_px=rows,
            motors=motors_of(par.file.values, count, place.name),
        ),
        flats=flats,
        darks=darks,
        metadata=metadata,
        domain=_domain(par, warnings),
        missing=missing,
        warnings=(*warnings, *warnings_of_info),
    )


def _domain(par: TypedPar, warnings: list[str]) -> Domain:
    """Take frames for attenuation where PyHST2 is to back-project them as they are."""
    if par.is_true("TAKE_LOGARITHM", True):
        return "counts"
    if par.is_true("CORRECT_FLATFIELD", False):
        warnings.append(
            "TAKE_LOGARITHM is NO beside CORRECT_FLATFIELD = YES: PyHST2 would back-project transmission; the frames "
            "were taken for counts, of which the logarithm is due"
        )
        return "counts"
    return "attenuation"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _check_size(par: TypedPar, projections: Frames, warnings: list[str]) -> None:
    size = (par.number("NUM_IMAGE_2"), par.number("NUM_IMAGE_1"))
    _, rows, columns = projections.shape
    if rows and None not in size and size != (rows, columns):
        warnings.append(
            f"NUM_IMAGE_2 and NUM_IMAGE_1 are {size[0]:g} and {size[1]:g}, the frames {rows} x {columns}"
        )


def _pixel(par: TypedPar, axis: int) -> Value[float] | None:
    micrometres = par.number(f"IMAGE_PIXEL_SIZE_{axis}")
    if micrometres is None or micrometres <= 0:
        return None
    return Value(float(f"{micrometres * 1e-6:.15g}"), "read", f"{par.path.name}: IMAGE_PIXEL_SIZE_{axis}, µm")


def _shifts(
    par: TypedPar, count: int, warnings: list[str]
) -> tuple[Value[NDArray[np.float64]] | None, Value[NDArray[np.float64]] | None]:
    """Read how far the sample stood from its place in each view, where PyHST2 is to correct that."""
    if not par.is_true("DO_AXIS_CORRECTION", False):
        return None, None
    file = inside(par, par.text("AXIS_CORRECTION_FILE", "correct.txt"))
    if not file.is_file():
        warnings.append(
            f"DO_AXIS_CORRECTION is YES, but {file.name} is absent: the sample moved, which is not corrected; give the "
            f"file with --shifts"
        )
        return None, None
    columns, rows = read_shifts(file)
    if len(columns) != count:
        warnings.append(f"{file.name} has {len(columns)} lines for {count} projections, and was left out")
        return None, None
    source = f"{file.name}, named by AXIS_CORRECTION_FILE"
    return Value(columns, "read", source), None if rows is None else Value(rows, "read", source)


def _check_geometry(par: TypedPar, warnings: list[str]) -> None:
    """Say which keys ask for more than frames of a parallel beam that turn about an upright axis."""
    for key, meaning in _UNUSUAL:
        value = par.file.values.get(key)
        if value not in (None, False, 0, "", "None", "N.A."):
            warnings.append(f"{key} is {'YES' if value is True else value}: {meaning}")
    if not par.is_true("ROTATION_VERTICAL", True):
        warnings.append(
            "ROTATION_VERTICAL is NO: the rotation axis lies along the rows of the frames, so turn the frames by "
            "90° before you reconstruct; its place was left out"
        )


def _axis(par: TypedPar) -> Value[float] | None:
    edge = par.number("ROTATION_AXIS_POSITION")
    if edge is None or not par.is_true("ROTATION_VERTICAL", True):
        return None
    source = f"{par.path.name}: ROTATION_AXIS_POSITION {edge:g} counts from the first pixel's edge, half a pixel less"
    return Value(edge - HALF_PIXEL, "derived", source)


def _angles(par: TypedPar, count: int, warnings: list[str]) -> Value[NDArray[np.float64]]:
    angles_file = par.text("ANGLES_FILE")
    if angles_file:
        file = inside(par, angles_file)
        if file.is_file():
            return Value(numbers(file), "read", f"{file.name}, named by ANGLES_FILE")
        warnings.append(f"ANGLES_FILE {angles_file} is absent; the step between projections was taken")
    step = par.number("ANGLE_BETWEEN_PROJECTIONS")
    if step is None:
        return assumed_angles(count, "ANGLE_BETWEEN_PROJECTIONS is absent", warnings)
    angles = step * np.arange(count, dtype=np.float64)
    return Value(angles, "derived", f"{par.path.name}: ANGLE_BETWEEN_PROJECTIONS {step:g}°, beginning at 0°")


def paganin_length_m(delta_beta: float, energy_kev: float, distance_m: float) -> float:
    """Return the length PyHST2's Paganin filter takes.

    `distance_m`: distance from sample to detector, m. Result: l in m; L² = π λ R₂ δ/β, the filter is 1 / (1 +
    L² f²) (PyHST2's documentation of PAGANIN_Lmicron).
    """
    wavelength_m = 1.23984198e-9 / energy_kev
    return math.sqrt(math.pi * wavelength_m * distance_m * delta_beta)


def _check_paganin(par: TypedPar, values: dict[str, Value[float]], warnings: list[str]) -> None:
    """Find a PAGANIN_Lmicron that is no length: an old writer put δ/β itself there, and said so above it."""
    length = par.number("PAGANIN_Lmicron")
    if length is None or not par.is_true("DO_PAGANIN", False):
        return
    noted = noted_delta_beta(par)
    if noted is None:
        return
    energy, distance = values.get("energy_kev"), values.get("distance_m")
    right = paganin_length_m(noted, energy.value, distance.value) * 1e6 if energy and distance else None
    suggestion = f"; at {energy.value:g} keV and {distance.value:g} m it should be {right:.4g}" if (
        right and energy and distance
    ) else ""  # fmt: skip
    if math.isclose(length, noted, rel_tol=1e-6):
        warnings.append(
            f"PAGANIN_Lmicron is {length:g}, which is the ratio δ/β of the comment above it and no length{suggestion}"
        )
    elif right and not math.isclose(length, right, rel_tol=0.05):
        warnings.append(
            f"PAGANIN_Lmicron is {length:g}, the comment above it says δ/β = {noted:g}{suggestion}"
        )


FORMAT = Format(
    name="pyhst-par",
    title="PyHST2 parameter file with its frames",
    suffixes=(".par",),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"scan"}),
    resumes=True,
    rounds=True,
)
