"""What the readers of all HDF5 layouts of scans share: detection, angles, texts, references, and the scan itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tomarium.errors import FormatError
from tomarium.formats.format import Match, no_match
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.opening.angles import in_degrees
from tomarium.model import FrameKind, Frames, Geometry, Scan, Value
from tomarium.model.scan import Reference


def detecting(look: Callable[[Source], Match | None]) -> Callable[[Path], Match | None]:
    """Make the detection of an HDF5 layout: no match for other files, a score of 0 for one that cannot be read.

    `look`: looks at an HDF5 file, which is open; None where it is of another kind.
    """

    def detect(path: Path) -> Match | None:
        if not is_hdf5(path):
            return None
        try:
            with reading(path) as source:
                return look(source)
        except FormatError as problem:
            return no_match(str(problem))

    detect.__doc__, detect.__module__ = look.__doc__, look.__module__
    return detect


def scan_of(
    source: Source, match: Match, format_name: str, projections: Frames, geometry: Geometry, **held: Any
) -> Scan:
    """Make the scan of a file, with what its source found out; `held` are other fields of a Scan."""
    first = {"path": source.path, "name": source.path.stem, "dialect": match.dialect, "why": match.why}
    notes = {name: tuple(getattr(source, name)) for name in ("missing", "repaired", "warnings")}
    return Scan(**{**first, **notes, **held}, format=format_name, projections=projections, geometry=geometry)


def degrees_of(
    source: Source, values: NDArray[np.float64], path: str, *, default: str | None = None, guess: bool = False
) -> Value[NDArray[np.float64]]:
    """Turn the angles of a dataset into degrees by its unit, and say in `warnings` what is doubtful.

    `default`: unit to take where the file gives none. `guess`: whether angles without a unit may be radians.
    """
    node = source.find(path)
    unit = (source.attribute(node, "units") if node is not None else None) or default
    value, warning = in_degrees(values, unit, f"{source.path.name}:{path}", guess=guess)
    source.warnings.extend([warning] if warning else [])
    return value


def positive(source: Source, value: Value[float] | None, what: str = "") -> Value[float] | None:
    """Leave out, aloud, what cannot be zero or less; `what` it is: "a pixel size of "."""
    if value is not None and value.value <= 0:
        source.warnings.append(f"{value.source} was left out: {what}{value.value:g} cannot be")
        return None
    return value


def texts_of(
    source: Source, paths: Mapping[str, str | Iterable[str]], start: str = ""
) -> dict[str, Value[Any]]:
    """Read the texts of a table of names and paths, the first path of each that holds one; `start` precedes them."""
    texts: dict[str, Value[Any]] = {}
    for name, places in paths.items():
        for path in (places,) if isinstance(places, str) else places:
            text = source.text(f"{start}{path}")
            if text is not None:
                texts[name] = Value(text, "read", f"{source.path.name}:{start}{path}")
                break
    return texts


def positions_among(before: ArrayLike, count: int) -> NDArray[np.float64]:
    """Place references, as `Reference` tells, by how many of `count` projections were taken before each."""
    before_each = np.asarray(before)
    return np.where(before_each == 0, -1.0, np.where(before_each == count, float(count), before_each - 0.5))


def lacking(source: Source, kind: FrameKind, why: str = "") -> Reference | None:
    """Say that a scan holds no flats or no darks; return None."""
    source.warnings.append(f"the scan holds no {kind} fields{why}")
    return None


def said_entry(source: Source, match: Match) -> None:
    """Say which of several scans of a file was opened."""
    if len(match.entries) > 1:
        source.warnings.append(f"{match.entry} was opened; the file holds {', '.join(match.entries)}")


def group_at(source: Source, path: str) -> h5py.Group | None:
    """Find a group; None where there is none, or something else."""
    node = source.find(path)
    return node if isinstance(node, h5py.Group) else None


def dataset_at(source: Source, path: str, start: h5py.Group | None = None) -> h5py.Dataset | None:
    """Find a dataset; None where there is none, or something else."""
    node = source.find(path, start)
    return node if isinstance(node, h5py.Dataset) else None
