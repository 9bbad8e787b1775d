"""The view that puts scans one after the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tomarium import formats
from tomarium.errors import InputError, ParameterError
from tomarium.model import FrameKind, Scan
from tomarium.model.geometry import PER_VIEW
from tomarium.model.scan import Reference
from tomarium.steps.core.further_scans import paths_beside
from tomarium.steps.core.step import view
from tomarium.steps.views.frames import ConcatenatedFrames
from tomarium.steps.views.stitch import demand_same_aspect


@view(place=0, aliases=("append_scans",), column_before=lambda values, before, column: column)
def concatenate(scan: Scan, *, scans: str = "") -> Scan:
    """Put the projections of other files behind those of the scan, as of one scan that was written in parts.

    Flats and darks of every part keep their place in time between its projections.

    Parameters
    ----------
    scan : Scan
        The first part.
    scans : str
        Paths of the parts that follow, separated by commas; relative ones count from the first part's folder.

    Returns
    -------
    Scan
        A lazy view.

    Raises
    ------
    ParameterError
        No path is given.
    InputError
        A part is no scan, its frames have another size, or its pixel size or energy is another one.
    """
    paths = paths_beside(scan, scans)
    if not paths:
        raise ParameterError(
            "step concatenate: scans is empty; give the paths of the parts that follow, by commas"
        )
    joined = scan
    for path in paths:
        part = formats.open(path)
        if not isinstance(part, Scan):
            raise InputError(f"{path} holds an image, not a scan that could be put behind {scan.path}")
        joined = _behind(joined, part, path)
    return joined


def _behind(first: Scan, further: Scan, path: Path) -> Scan:
    if first.shape[1:] != further.shape[1:] or first.domain != further.domain:
        raise InputError(
            f"{path}: frames of {further.shape[1]} × {further.shape[2]} {further.domain} cannot be put behind those of "
            f"{first.path}, which are {first.shape[1]} × {first.shape[2]} {first.domain}"
        )
    for name in ("pixel_m", "energy_kev", "distance_m"):
        a, b = getattr(first, name), getattr(further, name)
        if a is not None and b is not None and not np.isclose(a.value, b.value, rtol=1e-6, atol=0):
            raise InputError(
                f"{path}: {name} is {b.value:g}, but {a.value:g} in {first.path}; these are not one scan"
            )
    demand_same_aspect(first, further)
    count = first.shape[0]

    def both(a: Reference | None, b: Reference | None) -> Reference | None:
        if a is None or b is None:
            moved = None if b is None else replace(b, position=b.position + count)
            return a or moved
        return Reference(
            ConcatenatedFrames((a.frames, b.frames)), np.concatenate([a.position, b.position + count])
        )

    changed: dict[str, Any] = {}
    for name in PER_VIEW:
        a, b = getattr(first.geometry, name), getattr(further.geometry, name)
        if (a is None) != (b is None):
            raise InputError(f"{path}: {name} is told in one of the parts only; tell it in all or in none")
        if a is not None and b is not None:
            changed[name] = replace(a, value=np.concatenate([a.value, b.value]))
    motors = {
        name: replace(value, value=np.concatenate([value.value, further.geometry.motors[name].value]))
        for name, value in first.geometry.motors.items()
        if name in further.geometry.motors and further.geometry.motors[name].unit == value.unit
    }
    kinds = {*first.counts, *further.counts}
    return replace(
        first,
        projections=ConcatenatedFrames((first.projections, further.projections)),
        flats=both(first.flats, further.flats),
        darks=both(first.darks, further.darks),
        geometry=replace(first.geometry, **changed, motors=motors),
        counts={
            kind: first.counts.get(kind, 0) + further.counts.get(kind, 0)
            for kind in FrameKind
            if kind in kinds
        },
        warnings=(*first.warnings, *further.warnings),
    )
