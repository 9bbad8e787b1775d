"""A scan of arrays that lie in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tomarium.errors import InputError
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Domain, FrameKind, Geometry, Scan, Value
from tomarium.model.geometry import user_value
from tomarium.model.scan import Reference


def scan_of_arrays(
    projections: Any,
    angles_deg: Any,
    *,
    flats: Any = None,
    darks: Any = None,
    domain: Domain = "counts",
    pixel_m: float | str | None = None,
    pixel_aspect: float | None = None,
    energy_kev: float | str | None = None,
    distance_m: float | str | None = None,
    axis_column: float | None = None,
    name: str = "array",
) -> Scan:
    """Make a scan of arrays, to be looked at, corrected and reconstructed like one that was opened.

    Parameters
    ----------
    projections : array, shape (angle, row, column) or (angle, column)
        Detector counts, or corrected data as `domain` says; two axes are one sinogram.
    angles_deg : array, shape (angle,)
        Rotation angle of each projection, degrees.
    flats, darks : array, shape (frame, row, column) or (row, column) or None
        Bright and dark reference frames, taken before the scan.
    domain : {"counts", "transmission", "attenuation"}
        What the numbers of the projections are.
    pixel_m, energy_kev, distance_m : float or str or None
        Numbers in m and keV, or text with a unit.
    pixel_aspect : float or None
        Height of a pixel over its width; a square where it is not given.
    axis_column : float or None
        Column of the rotation axis, 0-based, pixel centres at integers.
    name : str
        Short name, for titles and folders.

    Returns
    -------
    Scan
        Every value of origin "user".

    Raises
    ------
    InputError
        The arrays do not fit together.
    """
    stack = np.asarray(projections)
    stack = stack[:, None, :] if stack.ndim == 2 else stack
    angles = np.asarray(angles_deg, np.float64)
    if stack.ndim != 3 or angles.shape != (len(stack),):
        where = [axis for axis, length in enumerate(np.shape(projections)) if angles.shape == (length,)]
        turn = f"; as many as axis {where[0]} is long: move that axis to the front" if len(where) == 1 else ""
        raise InputError(
            f"projections have shape {np.shape(projections)} and angles_deg {angles.shape}{turn}; give (angle, row, "
            f"column) or (angle, column), and one angle for each projection"
        )
    numbers = {
        "pixel_m": pixel_m,
        "pixel_aspect": pixel_aspect,
        "energy_kev": energy_kev,
        "distance_m": distance_m,
        "axis_column": axis_column,
    }
    values = {key: user_value(key, number) for key, number in numbers.items() if number is not None}
    references = {
        key: _reference(key, array, stack.shape) for key, array in (("flats", flats), ("darks", darks))
    }
    counts = {FrameKind.PROJECTION: len(stack)}
    for kind, key in ((FrameKind.FLAT, "flats"), (FrameKind.DARK, "darks")):
        reference = references[key]
        if reference is not None:
            counts[kind] = reference.frames.shape[0]
    return Scan(
        path=Path(name),
        name=name,
        format="memory",
        dialect="arrays",
        why="made of arrays in memory",
        projections=ArrayFrames(stack),
        geometry=Geometry(Value(angles, "user", "given with the array")).with_values(values),
        flats=references["flats"],
        darks=references["darks"],
        domain=domain,
        counts=counts,
    )


def _reference(name: str, array: Any, shape: tuple[int, ...]) -> Reference | None:
    if array is None:
        return None
    frames = np.asarray(array)
    frames = frames[None] if frames.ndim == 2 else frames
    if frames.ndim != 3 or frames.shape[1:] != shape[1:]:
        raise InputError(
            f"{name} have shape {np.shape(array)}, but the projections are {shape[1]} rows × {shape[2]} columns; give "
            f"(frame, row, column) of the same size"
        )
    return Reference(ArrayFrames(frames), np.full(len(frames), -1.0))
