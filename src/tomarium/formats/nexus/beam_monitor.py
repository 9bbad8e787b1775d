"""The monitor of an NXtomo scan: how bright the beam was in each frame, for the views over the flats about them.

NXtomo has it as `control/data`, "total integral monitor counts for each measured frame" (NIAC); nxtomo and nabu keep
the current of the ring there. Either is divided by its value in the flats, so that its unit does not matter.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.hdf5.dialect import positions_among
from tomarium.formats.hdf5.source import Source
from tomarium.formats.nexus.nxtomo_entries import Place
from tomarium.formats.opening.user_values import LEAST_RATIO
from tomarium.model import FrameKind, Value

MONITOR: Final = "{entry}/control/data"
_MEDIAN_AT_MOST: Final = 7


def beam_intensity_of(
    source: Source, place: Place, kinds: NDArray[np.object_]
) -> Value[NDArray[np.float64]] | None:
    """Read the intensity of the beam in each projection over that of the flats, interpolated to its place in the scan.

    `kinds`, shape (frame,): what each frame shows. Result: None where there is no monitor, it has another number of
    values, or there are no flats; with a warning where it cannot be used.
    """
    path = place.paths(MONITOR)[0]
    node = source.find(path)
    monitor = None if node is None else source.array(path)
    is_flat, is_projection = kinds == FrameKind.FLAT, kinds == FrameKind.PROJECTION
    if monitor is None or not is_flat.any() or not is_projection.any():
        return None
    where = f"{source.path.name}:{path}"
    if len(monitor) != len(kinds):
        source.warnings.append(f"{where} was left out: it has {len(monitor)} values for {len(kinds)} frames")
        return None
    used = monitor[is_flat | is_projection]
    if not (np.isfinite(used) & (used > 0)).all():
        source.warnings.append(f"{where} was left out: not all of its values are above 0")
        return None
    views = int(is_projection.sum())
    flats_at, mean = _groups(positions_among(np.cumsum(is_projection)[is_flat], views), monitor[is_flat])
    ratio = monitor[is_projection] / np.interp(np.arange(views), flats_at, mean)
    if not ((ratio > LEAST_RATIO) & (ratio < 1 / LEAST_RATIO)).all():
        source.warnings.append(
            f"{where} was left out: it is {ratio.min():.3g} to {ratio.max():.3g} times its value in the flats"
        )
        return None
    return Value(ratio, "derived", f"{where}, over its value in the flats, interpolated")


def _groups(
    place: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where flats were taken, and one value of each place as step flat_field makes one of its flats.

    That is the median of up to seven, so that the value is of the same frame; else the mean.
    """
    where = np.unique(place)
    groups = [values[place == one] for one in where]
    return where, np.array(
        [np.median(some) if len(some) <= _MEDIAN_AT_MOST else some.mean() for some in groups]
    )
