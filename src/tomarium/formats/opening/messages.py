"""Why something is not a scan, in words: what was found, what was looked for, what to do."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tomarium.errors import FormatError
from tomarium.formats.format import CHOOSE, Format
from tomarium.formats.opening.absent_path import absent, pointer, refused
from tomarium.formats.opening.unpacked import bare
from tomarium.model import Image, Scan
from tomarium.model.wording import brief

# First bytes of files people take for scans, at their offset.
SIGNATURES: Final = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"II*\0", "a TIFF file"),
    (0, b"MM\0*", "a TIFF file"),
    (0, b"II+\0", "a BigTIFF file"),
    (0, b"MM\0+", "a BigTIFF file"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE2 file, as Zeiss .txrm and .txm are"),
    (0, b"PK\x03\x04", "a zip archive (unpack it, and give the file in it)"),
    (0, b"\x1f\x8b", "a gzip archive (unpacked are those of EDF, TIFF and MRC, named .tif.gz or the like)"),
    (0, b"BZh", "a bzip2 archive (unpacked are those of EDF, TIFF and MRC, named .tif.bz2 or the like)"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"%PDF", "a PDF document"),
    (208, b"MAP ", "an MRC file"),
    (0, b"MATLAB", "a MATLAB file"),
    (0, b"\x93NUMPY", "a NumPy array (numpy.load reads it, and tomarium.scan_of_arrays makes a scan of it)"),
    (0, b"\x0e\x03\x13\x01", "an HDF4 file (h4toh5 of the HDF Group turns it into HDF5)"),
    (0, b"SIMPLE  =", "a FITS file"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (128, b"DICM", "a DICOM file"),
    (344, b"n+1\0", "a NIfTI file"),
)
UNFINISHED_RUN: Final = "unfinished"
"""A folder below that of a record; its presence says that the run that makes it has not come to its end."""
_HEAD: Final = 4096
# What the file systems of Linux and macOS hold; Windows holds less.
_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 4096
# Formats whose reasons are told, and characters of each.
_NEAREST: Final = 3
# Endings of files of which each may be a scan or a volume for itself.
_ALONE: Final = frozenset({".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx", ".txrm", ".txm", ".mrc", ".vol"})
_LONGEST_REASON: Final = 300


def place_of(path: str | os.PathLike[str]) -> Path:
    """Turn what a user gives into a path.

    Result: the same; "." and the like by the folder's own name, which titles are made of.
    """
    text = os.fspath(path)
    if not text.strip():
        raise FormatError(f"{text!r}: is no path; give the name of a file or folder")
    if "\0" in text:
        raise FormatError(f"{text[:80]!r}: is no path a file can have; check its spelling")
    if text.lower().startswith(("http://", "https://", "doi:")):
        raise FormatError(
            f"{text[:80]}: is an address and no file; fetch a record with `tomarium pull ADDRESS`, or read it where it "
            f"lies with tomarium.load in Python; an OME-Zarr image on the web is read by tomarium.open, and by "
            f"`tomarium` info, slice, picture, measure and convert"
        )
    place = Path(text)
    longest = max((len(os.fsencode(part)) for part in place.parts), default=0)
    if longest > _LONGEST_NAME or len(os.fsencode(text)) > _LONGEST_PATH:
        raise FormatError(
            f"{text[:40]!r} … ({len(text)} characters): is longer than a path can be; check what was given"
        )
    return place if place.name not in ("", "..") else place.resolve()


def unusable(path: Path) -> str | None:
    """Say why nothing can be read at a path, before any format is asked.

    Result: the whole message; None where there is something to read.
    """
    try:
        if not path.exists():
            return absent(path)
        if path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                return f"{path}: this folder may not be read; ask its owner for permission"
            return (
                pointer(path)
                if any(path.iterdir())
                else f"{path}: this folder is empty; give the one that holds the scan"
            )
        if not path.is_file():
            return f"{path}: this is neither a file nor a folder; give a scan"
        if not os.access(path, os.R_OK):
            return f"{path}: this file may not be read; ask its owner for permission"
        if path.stat().st_size == 0:
            return f"{path}: this file is empty (0 bytes); copy it again from its origin"
        return pointer(path)
    except OSError as problem:
        return refused(path, problem)
    except ValueError:
        return f"{str(path)!r}: is no path a file can have; check its spelling"


def no_volume(place: object, opened: Scan | Image) -> str:
    """Say that something is no volume, what it was taken for instead, and what to do.

    `place`: its path or name. `opened`: what it was opened as. Result: the whole message.
    """
    if isinstance(opened, Scan):
        return (
            f"{place}: was taken for projections ({brief(opened.why, _LONGEST_REASON)}), and a volume (z, y, x) is "
            f"needed; reconstruct it with `tomarium run` first"
        )
    axes = ", ".join(axis.name for axis in opened.axes)
    return (
        f"{place}: holds an image of the axes ({axes}), and a volume (z, y, x) is needed; "
        f"{opened.metadata.get(CHOOSE, 'look at it with `tomarium info`')}"
    )


def explain(
    path: Path,
    refusals: Sequence[tuple[Format, str]],
    as_asked: Format | None = None,
    stacks: Sequence[str] = (),
) -> str:
    """Say why a file is no scan.

    `refusals`: the formats that looked inside, each with what it found lacking. `as_asked`: the one it was to be
    read as; any by default. `stacks`: datasets that could be frames, as "/path (shape)"; the answer then
    tells how to name one. Result: what was found, why the nearest formats refuse, what to do next.
    """
    if (path / UNFINISHED_RUN).is_dir():
        return (
            f"{path}: a run began a record here and did not come to its end; tomarium doctor {shlex.quote(str(path))} "
            "tells how far it is, and the command that goes on"
        )
    content = _folder(path) if path.is_dir() else _file(path)
    why = _why_not(path, refusals)
    as_format = f" as {as_asked.name}" if as_asked is not None else ""
    return (
        f"{path}: is not a scan or volume tomarium can read{as_format}. Found: {content}. "
        f"{f'Why not: {why}. ' if why else ''}Give the scan's own file or folder; `tomarium formats` lists what can be "
        f"read.{_names_text(stacks)}"
    )


def _why_not(path: Path, refusals: Sequence[tuple[Format, str]]) -> str:
    """Word why the nearest formats refuse: those of this ending first, then those that tomarium writes too."""
    suffix = bare(path).suffix.lower()
    ranked = sorted(
        refusals, key=lambda refusal: (suffix not in refusal[0].suffixes, refusal[0].write is None)
    )
    titles: dict[str, str] = {}
    for form, reason in ranked:  # formats of one container fail on the same damage with the same words
        titles.setdefault(brief(reason.removeprefix(f"{path}: "), _LONGEST_REASON), form.title)
    if len(titles) == 1:
        return next(iter(titles))
    return "; ".join(f"as {title}: {reason}" for reason, title in list(titles.items())[:_NEAREST])


def _names_text(stacks: Sequence[str]) -> str:
    if not stacks:
        return ""
    first = stacks[0].split(" (")[0]
    return (
        f" It holds stacks of frames: {', '.join(stacks)}; to open one as a scan, name it: data={first}, on the "
        f"command line --data {first}, and its flats, darks and angles likewise."
    )


def _folder(path: Path) -> str:
    counts: dict[str, int] = {}
    for item in path.iterdir():
        kind = "folder" if item.is_dir() else item.suffix.lower() or "file without suffix"
        counts[kind] = counts.get(kind, 0) + 1
    most = sorted(counts.items(), key=lambda item: -item[1])[:5]
    counts_text = ", ".join(
        f"{count} {kind}{'s' if kind == 'folder' and count > 1 else ''}" for kind, count in most
    )
    volume = next(iter(sorted(path.glob("*.ome.zarr"))), None)
    if volume is not None:
        return f"a folder with {counts_text}, in which {volume.name} lies: give {volume} itself"
    alone = sorted(item for item in path.iterdir() if item.suffix.lower() in _ALONE and item.is_file())
    if len(alone) == 1:
        return f"a folder with {counts_text}, in which {alone[0].name} lies: give {alone[0]} itself"
    if alone:
        more = f" and {len(alone) - _NEAREST} more" if len(alone) > _NEAREST else ""
        return f"a folder with {counts_text}: give one of {', '.join(map(str, alone[:_NEAREST]))}{more}"
    return f"a folder with {counts_text}" + ("" if set(counts) - {"folder"} else " and no file in it")


def _file(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    size = path.stat().st_size
    for offset, signature, words in SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return f"{words} of {size} bytes"
    try:
        first = head.decode("utf-8").strip().splitlines()[:1]
    except UnicodeDecodeError:
        first = []
    if first and first[0].isprintable():
        return f"a text file of {size} bytes that begins {first[0][:60]!r}"
    return f"{size} bytes of no kind it knows, beginning {head[:8].hex(' ')}"
