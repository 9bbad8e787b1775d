"""The frames that a parameter file of PyHST2 names: projections, flats and darks, and where they lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.edf.frames import edf_frames
from tomarium.formats.edf.info import read_edf_info
from tomarium.formats.edf.reader import reference_position, single_references
from tomarium.formats.frames.concatenated import AbsentFrames
from tomarium.formats.opening.trusted_folders import trusted
from tomarium.formats.opening.unpacked import bare
from tomarium.formats.pyhst.par_syntax import ParFile
from tomarium.model import FrameKind, Frames
from tomarium.model.scan import Reference

_MOST_IMAGES: Final = 1_000_000


@dataclass(frozen=True)
class TypedPar:
    """A parameter file with typed access to its values."""

    path: Path
    file: ParFile

    def text(self, key: str, default: str = "") -> str:
        """Return a value as text."""
        value = self.file.values.get(key)
        return default if value is None else str(value)

    def number(self, key: str) -> float | None:
        """Return a finite number, or None."""
        value = self.file.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value)

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number, or the default where the key is absent."""
        value = self.number(key)
        if value is None and default is not None and self.file.values.get(key) is None:
            return default
        if value is None or value != int(value) or abs(value) > _MOST_IMAGES:
            found_text = (
                f"{key} is {self.file.values[key]!r}" if key in self.file.values else f"{key} is absent"
            )
            raise FormatError(f"{self.path}: {found_text}; write {key} = and a whole number")
        return int(value)

    def is_true(self, key: str, default: bool) -> bool:
        """Tell whether a value is YES."""
        value = self.file.values.get(key)
        return default if value is None else value in (True, 1)


def inside(par: TypedPar, path_text: str) -> Path:
    """Find where a named file or prefix lies, without leaving the parameter file's folder and those trusted."""
    home = par.path.parent.resolve()
    path = Path(path_text.replace("\\", "/"))  # as Windows writes it
    folder = (home / path).parent.resolve()
    if any(folder.is_relative_to(place) for place in (home, *trusted())) and folder.is_dir():
        return folder / path.name
    beside = home / path.parent.name
    return (beside if path.parent.name not in ("", "..") and beside.is_dir() else home) / path.name


def _numbered(par: TypedPar, start: str, numbers: range) -> list[Path]:
    """List the files of a series: FILE_… or FF_… keys."""
    prefix = inside(par, par.text(f"{start}PREFIX"))
    postfix = par.text(f"{start}POSTFIX", ".edf")
    if "/" in postfix or "\\" in postfix:
        raise FormatError(f"{par.path}: {start}POSTFIX is {postfix!r}; an ending holds no folder")
    width = par.whole("FF_LENGTH_OF_NUMERICAL_PART" if start == "FF_" else "LENGTH_OF_NUMERICAL_PART", 4)
    if par.is_true("FF_NUMBER_LENGTH_VARIES" if start == "FF_" else "NUMBER_LENGTH_VARIES", False):
        width = 0
    return [
        prefix.with_name(f"{prefix.name}{number:0{min(max(width, 0), 20)}d}{postfix}") for number in numbers
    ]


def _range(par: TypedPar, first: int, last: int, step: int, key: str) -> range:
    if step < 1 or last < first or first < 0:
        raise FormatError(
            f"{par.path}: {key} goes from {first} to {last} in steps of {step}; it must rise from 0"
        )
    return range(first, last + 1, step)


def read_projections(par: TypedPar) -> tuple[Frames, Path, tuple[str, ...]]:
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
    names_present = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    absent = [file for file in files if file.name not in names_present]
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


def raw_info(par: TypedPar, folder: Path) -> tuple[dict[str, str], str]:
    """Read the .info beside the frames or beside the .par, where there is just one."""
    for place in dict.fromkeys((folder, par.path.parent)):
        texts = sorted(place.glob("*.info")) if place.is_dir() else []
        texts = [file for file in texts if not file.name.endswith((".vol.info", ".raw.info"))]
        if len(texts) == 1:
            return read_edf_info(texts[0]), texts[0].name
    return {}, ""


def _single(
    par: TypedPar, kind: FrameKind, folder: Path, count: int, warnings: list[str]
) -> list[tuple[float, Path]]:
    """List the frames a median or mean was made of, where they are kept beside it."""
    info, _ = raw_info(par, folder)
    return [(_position(par, at, count), file) for at, file in single_references(folder, kind, info, warnings)]


def _position(par: TypedPar, at: int, count: int) -> float:
    """Tell when references were taken: MMMM counts the files of the folder, of which the .par may take a part."""
    first, step = par.whole("NUM_FIRST_IMAGE", 0), max(1, par.whole("FILE_INTERVAL", 1))
    return reference_position(-(-(at - first) // step), count)


def read_flats(par: TypedPar, count: int, warnings: list[str]) -> Reference | None:
    """Return the flat fields with their positions among the projections."""
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
        chosen = [(-1.0, inside(par, par.text("FLATFIELD_FILE")))]
    return _reference(par, FrameKind.FLAT, chosen, count, warnings)


def read_darks(par: TypedPar, count: int, warnings: list[str]) -> Reference | None:
    """Return the dark field."""
    darks_file = par.text("BACKGROUND_FILE")
    if not par.is_true("SUBTRACT_BACKGROUND", False) or not darks_file:
        warnings.append("SUBTRACT_BACKGROUND is not YES; no dark fields were read")
        return None
    return _reference(par, FrameKind.DARK, [(-1.0, inside(par, darks_file))], count, warnings)


def _reference(
    par: TypedPar, kind: FrameKind, chosen: list[tuple[float, Path]], count: int, warnings: list[str]
) -> Reference | None:
    """Read the files named, or the single frames beside them that they were made of."""
    folder = chosen[0][1].parent
    prefix = "refHST" if kind == FrameKind.FLAT else "dark.edf"
    is_in_folder = chosen[0][1].name.startswith(prefix) and folder.is_dir()
    single = _single(par, kind, folder, count, warnings) if is_in_folder else []
    present = [(at, file) for at, file in single or chosen if file.is_file()]
    if len(present) < len(single or chosen):
        names = ", ".join(file.name for _, file in chosen if not file.is_file())
        warnings.append(f"of the {kind} fields {names} are absent")
    if not present:
        return None
    return Reference(_frames([file for _, file in present]), np.array([at for at, _ in present]))
