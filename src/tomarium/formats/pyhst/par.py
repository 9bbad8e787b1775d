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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.edf.frames import edf_frames
from tomarium.formats.edf.info import TEXTS, read_edf_info, values_of
from tomarium.formats.edf.reader import SINGLE_FRAMES, lost_references, reference_position
from tomarium.formats.format import Format, Match
from tomarium.formats.frames.concatenated import AbsentFrames
from tomarium.formats.opening.angle_file import numbers
from tomarium.formats.opening.angles import default_angles
from tomarium.formats.opening.shift_file import read_shifts
from tomarium.formats.opening.trusted_folders import trusted
from tomarium.formats.opening.unpacked import bare
from tomarium.formats.pyhst.par_syntax import LONGEST, ParFile, parse_par
from tomarium.formats.pyhst.par_writer import HALF_PIXEL, write
from tomarium.model import Domain, FrameKind, Frames, Geometry, Scan, Value
from tomarium.model.scan import Reference

KNOWN: Final = re.compile(
    rb"^\s*(FILE_PREFIX|NUM_FIRST_IMAGE|NUM_LAST_IMAGE|NUM_IMAGE_1|ANGLE_BETWEEN_PROJECTIONS|ROTATION_AXIS_POSITION)"
    rb"\s*=",
    re.MULTILINE,
)
# Keys that say how the scan was taken and are not followed here: when they do, and what is said of it.
_UNUSUAL: Final = (
    ("DXPERPROJ", "the sample moves sideways from projection to projection, which is not made up for"),
    ("DZPERPROJ", "the scan is helical; its projections were read as those of a circle"),
    ("CONICITY", "the beam is a cone; a parallel beam is assumed"),
    ("CONICITY_FAN", "the beam is a fan; a parallel beam is assumed"),
    ("DISTORTION_FILE", "the detector distorts; its maps of distortion were not applied"),
    ("STEAM_INVERTER", "PyHST2 is to project a volume; what FILE_PREFIX names was read as projections"),
)
_DELTA_BETA: Final = re.compile(r"delta\s*(?:over|/)\s*beta\D{0,20}?([\d.]+(?:[eE][+-]?\d+)?)", re.IGNORECASE)
# A file with a zero byte here is no text, and the rest of it is not read.
_HEAD: Final = 4096
_MOST_IMAGES: Final = 1_000_000


def detect(path: Path) -> Match | None:
    """Look for a parameter file, or a folder that holds one.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    Match or None
        None where there is none; a score of 0 says what is lacking.
    """
    if path.is_dir():
        held = sorted(file for file in path.glob("*.par") if file.is_file())
        if not held:
            return None
        named = [file for file in held if file.stem == path.name] or held
        if len(named) > 1:
            names = ", ".join(file.name for file in named[:5])
            return Match(0.0, "", f"it holds {len(named)} parameter files, {names}; give the one you mean")
        if any(path.glob("*.nxs")):
            return Match(0.0, "", f"{named[0].name} lies beside NeXus files, which hold the frames")
        found = _detect_file(named[0])
        return found and Match(min(found.score, 0.75), found.dialect, f"{named[0].name} is {found.why}")
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
        return Match(0.0, "", "a PyHST2 parameter file without FILE_PREFIX, so it names no projections")
    return Match(0.9, "par", f"a PyHST2 parameter file: it has {', '.join(sorted(keys))}")


@dataclass(frozen=True)
class _Par:
    """A parameter file with typed access to its values."""

    path: Path
    file: ParFile

    def text(self, key: str, default: str = "") -> str:
        found = self.file.values.get(key)
        return default if found is None else str(found)

    def number(self, key: str) -> float | None:
        found = self.file.values.get(key)
        if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
            return None
        return float(found)

    def whole(self, key: str, default: int | None = None) -> int:
        found = self.number(key)
        if found is None and default is not None and self.file.values.get(key) is None:
            return default
        if found is None or found != int(found) or abs(found) > _MOST_IMAGES:
            said = f"{key} is {self.file.values[key]!r}" if key in self.file.values else f"{key} is absent"
            raise FormatError(f"{self.path}: {said}; write {key} = and a whole number")
        return int(found)

    def is_true(self, key: str, default: bool) -> bool:
        found = self.file.values.get(key)
        return default if found is None else found in (True, 1)


def read_par(path: Path) -> ParFile:
    """Read a parameter file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ParFile
        Its statements; `values` holds what they say.

    Raises
    ------
    FormatError
        It cannot be read, or is no text.
    """
    try:
        if path.stat().st_size > LONGEST:
            raise FormatError(f"{path}: has {path.stat().st_size} bytes; a parameter file is far shorter")
        return parse_par(path.read_bytes(), str(path))
    except OSError as problem:
        raise FormatError(f"{path}: cannot be read ({problem.strerror}); copy it again") from problem


def read(path: Path, match: Match) -> Scan:
    """Open the scan a parameter file describes.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds it.
    match : Match
        What `detect` said of it.

    Returns
    -------
    Scan
        What the `.par` does not tell, such as the energy, comes from the `.info` beside the frames. Where no
        projection is there, the scan opens and says what is missing.

    Raises
    ------
    FormatError
        A value it needs is absent or no number, or some of the projections are absent.
    """
    place = path
    if path.is_dir():
        held = sorted(path.glob("*.par"))
        place = next((file for file in held if file.stem == path.name), held[0] if held else path)
    par = _Par(place, read_par(place))
    warnings: list[str] = [
        f"{key} comes more than once; the last value was taken" for key in par.file.twice()
    ]
    projections, folder, missing = _projections(par)
    count = projections.shape[0]
    flats, darks = (None, None) if missing else (_flats(par, count, warnings), _darks(par, count, warnings))
    info, source = _info(par, folder)
    values, said = values_of(info, source)
    _check_size(par, projections, warnings)
    pixel = _pixel(par, warnings) or values.get("pixel_m")
    _check_paganin(par, values, warnings)
    _check_geometry(par, warnings)
    columns, rows = _shifts(par, count, warnings)
    metadata: dict[str, Value[Any]] = {
        TEXTS[key.lower()]: Value(text, "read", f"{source}: {key}")
        for key, text in info.items()
        if key.lower() in TEXTS and text
    }
    metadata |= {name: values[name] for name in ("exposure_s", "ring_current_ma") if name in values}
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
            energy_kev=values.get("energy_kev"),
            distance_m=values.get("distance_m"),
            axis_column=_axis(par),
            shift_columns_px=columns,
            shift_rows_px=rows,
        ),
        flats=flats,
        darks=darks,
        counts={
            FrameKind.PROJECTION: count,
            FrameKind.FLAT: flats.frames.shape[0] if flats else 0,
            FrameKind.DARK: darks.frames.shape[0] if darks else 0,
        },
        metadata=metadata,
        domain=_domain(par, warnings),
        missing=missing,
        warnings=(*warnings, *said),
    )


def _domain(par: _Par, warnings: list[str]) -> Domain:
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


def _inside(par: _Par, named: str) -> Path:
    """Find where a named file or prefix lies, without leaving the parameter file's folder and those trusted."""
    home = par.path.parent.resolve()
    given = Path(named.replace("\\", "/"))  # as Windows writes it
    folder = (home / given).parent.resolve()
    if any(folder.is_relative_to(one) for one in (home, *trusted())) and folder.is_dir():
        return folder / given.name
    beside = home / given.parent.name
    return (beside if given.parent.name not in ("", "..") and beside.is_dir() else home) / given.name


def _numbered(par: _Par, start: str, numbers: range) -> list[Path]:
    """List the files of a series: FILE_… or FF_… keys."""
    prefix = _inside(par, par.text(f"{start}PREFIX"))
    postfix = par.text(f"{start}POSTFIX", ".edf")
    if "/" in postfix or "\\" in postfix:
        raise FormatError(f"{par.path}: {start}POSTFIX is {postfix!r}; an ending holds no folder")
    width = par.whole("FF_LENGTH_OF_NUMERICAL_PART" if start == "FF_" else "LENGTH_OF_NUMERICAL_PART", 4)
    if par.is_true("FF_NUMBER_LENGTH_VARIES" if start == "FF_" else "NUMBER_LENGTH_VARIES", False):
        width = 0
    return [
        prefix.with_name(f"{prefix.name}{number:0{min(max(width, 0), 20)}d}{postfix}") for number in numbers
    ]


def _range(par: _Par, first: int, last: int, step: int, key: str) -> range:
    if step < 1 or last < first or first < 0:
        raise FormatError(
            f"{par.path}: {key} goes from {first} to {last} in steps of {step}; it must rise from 0"
        )
    return range(first, last + 1, step)


def _projections(par: _Par) -> tuple[Frames, Path, tuple[str, ...]]:
    """Return the projections, their folder and the names of what is missing."""
    prefix = par.text("FILE_PREFIX")
    if prefix.lower().endswith((".h5", ".nxs", ".nx", ".hdf5")):
        raise FormatError(f"{par.path}: its projections are in {Path(prefix).name}; open that file itself")
    numbers = _range(
        par,
        par.whole("NUM_FIRST_IMAGE", 0),
        par.whole("NUM_LAST_IMAGE"),
        par.whole("FILE_INTERVAL", 1),
        "NUM_FIRST_IMAGE to NUM_LAST_IMAGE",
    )
    files = _numbered(par, "FILE_", numbers)
    folder = files[0].parent
    there = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    absent = [file for file in files if file.name not in there]
    if len(absent) == len(files):
        return AbsentFrames(par.path, len(files), (f"{prefix}…",)), folder, (f"{prefix}…",)
    if absent:
        raise FormatError(
            f"{par.path}: {len(absent)} of {len(files)} projections are absent, the first is {absent[0].name}; "
            f"restore them, or set NUM_LAST_IMAGE to the last one that is there"
        )
    return _frames(files), folder, ()


def _frames(files: list[Path]) -> Frames:
    if bare(files[0]).suffix.lower() in (".tif", ".tiff"):
        from tomarium.formats.tiff.frames import frames_of

        return frames_of(files)
    return edf_frames(files)


def _info(par: _Par, folder: Path) -> tuple[dict[str, str], str]:
    """Read the .info beside the frames or beside the .par, where there is just one."""
    for place in dict.fromkeys((folder, par.path.parent)):
        found = sorted(place.glob("*.info")) if place.is_dir() else []
        found = [file for file in found if not file.name.endswith((".vol.info", ".raw.info"))]
        if len(found) == 1:
            return read_edf_info(found[0]), found[0].name
    return {}, ""


def _single(
    par: _Par, kind: FrameKind, folder: Path, count: int, warnings: list[str]
) -> list[tuple[float, Path]]:
    """List the frames a median or mean was made of, where they are kept beside it."""
    found = [(one, file) for file in folder.iterdir() if (one := SINGLE_FRAMES[kind].fullmatch(file.name))]
    ranked = sorted((int(one["at"]), int(one["number"]), file) for one, file in found)
    warnings.extend(lost_references(kind, [(at, number) for at, number, _ in ranked], _info(par, folder)[0]))
    return [(_position(par, at, count), file) for at, _, file in ranked]


def _position(par: _Par, at: int, count: int) -> float:
    """Tell when references were taken: MMMM counts the files of the folder, of which the .par may take a part."""
    first, step = par.whole("NUM_FIRST_IMAGE", 0), max(1, par.whole("FILE_INTERVAL", 1))
    return reference_position(-(-(at - first) // step), count)


def _flats(par: _Par, count: int, warnings: list[str]) -> Reference | None:
    if not par.is_true("CORRECT_FLATFIELD", False):
        warnings.append("CORRECT_FLATFIELD is not YES; no flat fields were read")
        return None
    if par.is_true("FLATFIELD_CHANGING", False):
        numbers = _range(
            par,
            par.whole("FF_NUM_FIRST_IMAGE", 0),
            par.whole("FF_NUM_LAST_IMAGE", count),
            par.whole("FF_FILE_INTERVAL", max(1, count)),
            "FF_NUM_FIRST_IMAGE to FF_NUM_LAST_IMAGE",
        )
        files = _numbered(par, "FF_", numbers)
        chosen = [(_position(par, at, count), file) for at, file in zip(numbers, files, strict=True)]
    else:
        chosen = [(-1.0, _inside(par, par.text("FLATFIELD_FILE")))]
    return _reference(par, FrameKind.FLAT, chosen, count, warnings)


def _darks(par: _Par, count: int, warnings: list[str]) -> Reference | None:
    named = par.text("BACKGROUND_FILE")
    if not par.is_true("SUBTRACT_BACKGROUND", False) or not named:
        warnings.append("SUBTRACT_BACKGROUND is not YES; no dark fields were read")
        return None
    return _reference(par, FrameKind.DARK, [(-1.0, _inside(par, named))], count, warnings)


def _reference(
    par: _Par, kind: FrameKind, chosen: list[tuple[float, Path]], count: int, warnings: list[str]
) -> Reference | None:
    """Read the files named, or the single frames beside them that they were made of."""
    folder = chosen[0][1].parent
    prefix = "refHST" if kind == FrameKind.FLAT else "dark.edf"
    kept = chosen[0][1].name.startswith(prefix) and folder.is_dir()
    single = _single(par, kind, folder, count, warnings) if kept else []
    there = [(at, file) for at, file in single or chosen if file.is_file()]
    if len(there) < len(single or chosen):
        names = ", ".join(file.name for _, file in chosen if not file.is_file())
        warnings.append(f"of the {kind} fields {names} are absent")
    if not there:
        return None
    return Reference(_frames([file for _, file in there]), np.array([at for at, _ in there]))


def _check_size(par: _Par, projections: Frames, warnings: list[str]) -> None:
    told = (par.number("NUM_IMAGE_2"), par.number("NUM_IMAGE_1"))
    _, rows, columns = projections.shape
    if rows and None not in told and told != (rows, columns):
        warnings.append(
            f"NUM_IMAGE_2 and NUM_IMAGE_1 are {told[0]:g} and {told[1]:g}, the frames {rows} x {columns}"
        )


def _pixel(par: _Par, warnings: list[str]) -> Value[float] | None:
    found, other = par.number("IMAGE_PIXEL_SIZE_1"), par.number("IMAGE_PIXEL_SIZE_2")
    if found is None or found <= 0:
        return None
    if other is not None and not math.isclose(found, other, rel_tol=1e-6):
        warnings.append(f"pixels are {found:g} µm wide and {other:g} µm high; the width was taken")
    return Value(float(f"{found * 1e-6:.15g}"), "read", f"{par.path.name}: IMAGE_PIXEL_SIZE_1, µm")


def _shifts(
    par: _Par, count: int, warnings: list[str]
) -> tuple[Value[NDArray[np.float64]] | None, Value[NDArray[np.float64]] | None]:
    """Read how far the sample stood from its place in each view, where PyHST2 is to correct that."""
    if not par.is_true("DO_AXIS_CORRECTION", False):
        return None, None
    file = _inside(par, par.text("AXIS_CORRECTION_FILE", "correct.txt"))
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


def _check_geometry(par: _Par, warnings: list[str]) -> None:
    """Say which keys ask for more than frames of a parallel beam that turn about an upright axis."""
    for key, said in _UNUSUAL:
        found = par.file.values.get(key)
        if found not in (None, False, 0, "", "None", "N.A."):
            warnings.append(f"{key} is {'YES' if found is True else found}: {said}")
    if not par.is_true("ROTATION_VERTICAL", True):
        warnings.append(
            "ROTATION_VERTICAL is NO: the rotation axis lies along the rows of the frames, so turn the frames by "
            "90° before you reconstruct; its place was left out"
        )


def _axis(par: _Par) -> Value[float] | None:
    found = par.number("ROTATION_AXIS_POSITION")
    if found is None or not par.is_true("ROTATION_VERTICAL", True):
        return None
    source = f"{par.path.name}: ROTATION_AXIS_POSITION {found:g} counts from the first pixel's edge, half a pixel less"
    return Value(found - HALF_PIXEL, "derived", source)


def _angles(par: _Par, count: int, warnings: list[str]) -> Value[NDArray[np.float64]]:
    named = par.text("ANGLES_FILE")
    if named:
        file = _inside(par, named)
        if file.is_file():
            return Value(numbers(file), "read", f"{file.name}, named by ANGLES_FILE")
        warnings.append(f"ANGLES_FILE {named} is absent; the step between projections was taken")
    step = par.number("ANGLE_BETWEEN_PROJECTIONS")
    if step is None:
        warnings.append("ANGLE_BETWEEN_PROJECTIONS is absent: 0° to 180°, 180° left out, were assumed")
        return default_angles(count)
    angles = step * np.arange(count, dtype=np.float64)
    return Value(angles, "derived", f"{par.path.name}: ANGLE_BETWEEN_PROJECTIONS {step:g}°, beginning at 0°")


def paganin_length_m(delta_beta: float, energy_kev: float, distance_m: float) -> float:
    """Return the length PyHST2's Paganin filter takes.

    Parameters
    ----------
    delta_beta : float
        Ratio δ/β.
    energy_kev : float
        Photon energy, keV.
    distance_m : float
        Distance from sample to detector, m.

    Returns
    -------
    float
        L in m; L² = π λ R₂ δ/β, the filter is 1 / (1 + L² f²) (PyHST2's documentation of PAGANIN_Lmicron).
    """
    wavelength_m = 1.23984198e-9 / energy_kev
    return math.sqrt(math.pi * wavelength_m * distance_m * delta_beta)


def _check_paganin(par: _Par, values: dict[str, Value[float]], warnings: list[str]) -> None:
    """Find a PAGANIN_Lmicron that is no length: an old writer put δ/β itself there, and said so above it."""
    length = par.number("PAGANIN_Lmicron")
    if length is None or not par.is_true("DO_PAGANIN", False):
        return
    noted = None
    for one in par.file.statements:
        found = _DELTA_BETA.search(one.comment)
        if found:
            noted = float(found[1])
        if one.key == "PAGANIN_Lmicron":
            break
    if noted is None:
        return
    energy, distance = values.get("energy_kev"), values.get("distance_m")
    right = paganin_length_m(noted, energy.value, distance.value) * 1e6 if energy and distance else None
    said = f"; at {energy.value:g} keV and {distance.value:g} m it should be {right:.4g}" if (
        right and energy and distance
    ) else ""  # fmt: skip
    if math.isclose(length, noted, rel_tol=1e-6):
        warnings.append(
            f"PAGANIN_Lmicron is {length:g}, which is the ratio δ/β of the comment above it and no length{said}"
        )
    elif right and not math.isclose(length, right, rel_tol=0.05):
        warnings.append(f"PAGANIN_Lmicron is {length:g}, the comment above it says δ/β = {noted:g}{said}")


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
