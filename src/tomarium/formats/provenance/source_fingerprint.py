"""Where what is written comes from: a run that stopped goes on only from the same source, unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium.formats.hdf5.frames import Hdf5Frames
from tomarium.formats.hdf5.security_check import beside, open_checked
from tomarium.formats.provenance.json_values import as_json
from tomarium.model import Frames, Image, Scan

# What tells how the values of an image are made of its file's.
_MADE_BY: Final = ("grey_range", "denoised", "stitched", "aligned_slices", "resampled")
# Arrays in memory above this are told by their shape alone; they come from no file that could have changed.
_MOST_SUMMED: Final = 1 << 24


def origin_of(opened: Scan | Image, form: str) -> str:
    """Sum up the files of a scan or an image, what is known of it, and what becomes of it.

    `form`: name of the format that is written: several share the hidden name of what is not whole yet.
    Result: another one where a file was changed, or another is meant, or its user gave other values; "" where
    it lies in no file.
    """
    contents: list[Any] = [form, opened.shape]
    if isinstance(opened, Scan):
        contents.append([opened.domain, {field.name: value for field, value in opened.geometry.items()}])
        contents += [opened.metadata, opened.projections, opened.flats, opened.darks]
        contents += [opened.path] if opened.path.is_file() else []
    elif opened.path is None or not opened.path.exists():
        return ""
    else:
        contents += [opened.path, opened.dtype.str, opened.name, repr(opened.axes)]
        contents += [opened.metadata[name] for name in _MADE_BY if name in opened.metadata]
    return hashlib.sha256(json.dumps(_description(contents, {})).encode()).hexdigest()


def files_of(frames: Frames) -> Any:
    """Tell which frames of which files a stack is, with the sizes and times of these files."""
    return _description(frames, {})


def sources_of(opened: Scan | Image) -> tuple[Path, ...]:
    """List the files and folders a scan or an image is read from.

    Result: its own first; those of frames that lie in other files after it.
    """
    stamps: dict[Path, Any] = {} if opened.path is None else {opened.path: None}
    if isinstance(opened, Scan):
        _description([opened.projections, opened.flats, opened.darks], stamps)
    return tuple(stamps)


def _description(part: Any, stamps: dict[Path, Any]) -> Any:
    """Spell out what a stack is made of; `stamps` are files that were looked at before."""
    if isinstance(part, Path):
        if part not in stamps:
            stamps[part] = list(_stamps(part))
        return stamps[part]
    if isinstance(part, np.ndarray) and part.dtype.kind in "biufc":
        content = part.tobytes() if part.nbytes <= _MOST_SUMMED else b""
        return [part.dtype.str, part.shape, hashlib.sha256(content).hexdigest()]
    if is_dataclass(part) and not isinstance(part, type):
        parts = [
            _description(getattr(part, field.name), stamps) for field in fields(part) if field.name[0] != "_"
        ]
        more = [_description(file, stamps) for file in _virtual(part)] if isinstance(part, Hdf5Frames) else []
        return [type(part).__name__, *parts, *more]
    if isinstance(part, Mapping):
        return {str(name): _description(item, stamps) for name, item in part.items()}
    if isinstance(part, list | tuple):
        return [_description(item, stamps) for item in part]
    if isinstance(part, str | int | float | bool | np.generic | np.ndarray | None):
        return as_json(part)
    return str(part) if isinstance(part, np.dtype) else type(part).__name__


def _virtual(frames: Hdf5Frames) -> Iterator[Path]:
    """List the files a virtual dataset takes its frames from, and those that these do."""
    waiting, seen = [(frames.file, frames.name)], set[tuple[Path, str]]()
    while waiting:
        place, name = waiting.pop()
        if (place, name) in seen:
            continue
        seen.add((place, name))
        yield place
        with suppress(OSError), open_checked(place, scan=frames.path) as file:
            dataset = file.get(name)
            if isinstance(dataset, h5py.Dataset) and dataset.is_virtual:
                for item in dataset.virtual_sources():
                    part = place if item.file_name == "." else beside(frames.path, place, item.file_name)
                    waiting += [] if part is None else [(part, item.dset_name)]


def _stamps(path: Path) -> Iterator[list[Any]]:
    yield _stamp(path)
    if path.is_dir():
        for place in sorted(path.rglob("*")):
            yield _stamp(place)


def _stamp(place: Path) -> list[Any]:
    try:
        now = place.stat()
    except OSError:  # a link to nowhere, or a place in an archive
        return [str(place)]
    # What is written beside the files of a folder changes the folder, but none of them.
    return [str(place.resolve()), *((now.st_size, now.st_mtime_ns) if place.is_file() else ())]
