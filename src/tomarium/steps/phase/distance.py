"""A scan of the same sample at another propagation distance, as the first one is seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium import formats, units
from tomarium.errors import InputError, MissingData
from tomarium.kernels.registration import Placement, placement
from tomarium.model import Frames, Scan
from tomarium.steps.core.further_scans import Through
from tomarium.steps.core.step import Values
from tomarium.steps.phase.paganin import finite
from tomarium.steps.views.bin import bin as binned
from tomarium.steps.views.crop import crop
from tomarium.steps.views.frames import BinnedFrames, ChosenFrames, CroppedFrames


@dataclass(frozen=True, eq=False)
class Distance:
    """A scan of the same sample at another distance.

    Attributes
    ----------
    scan : Scan
        The scan.
    frames : Frames
        Its projections as the steps before ctf leave them, I / I₀.
    plain : Frames
        The same as the steps before the first one on sinograms leave them: of what shifts are found by.
    distance_m : float
        Propagation distance.
    views : array of int, shape (angle,)
        Its view at each angle of the first scan.
    scale : float
        Pixel size of the first scan over its own.
    shift : tuple of float
        Rows and columns by which its images lie beside those of the first.
    """

    scan: Scan
    frames: Frames
    plain: Frames
    distance_m: float
    views: NDArray[np.intp]
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    def transmission(self, angles: slice) -> NDArray[np.float32]:
        """Read the views at some angles of the first scan, I / I₀ on its own pixels."""
        return self._read(self.frames, angles)

    def before_sinograms(self, angles: slice) -> NDArray[np.float32]:
        """Read the same without the steps on sinograms."""
        return self._read(self.plain, angles)

    def _read(self, frames: Frames, angles: slice) -> NDArray[np.float32]:
        data = frames.read(self.views[angles], slice(0, self.scan.shape[1]))
        return np.asarray(finite(np.asarray(data, np.float32))[0])

    def onto(self, shape: tuple[int, int], shift: tuple[float, float]) -> Placement | None:
        """Return what puts its images on the pixels of the first scan; None where they lie there."""
        if self.scan.shape[1:] == shape and self.scale == 1 and shift == (0, 0):
            return None
        return placement(shape, (self.scan.shape[1], self.scan.shape[2]), self.scale, shift)


def open_distance(
    scan: Scan, path: Path, distance_m: float | None, values: Values, through: Through
) -> Distance:
    """Open a scan at another distance, as the first one is seen: with its crop and its bins, at its angles.

    Parameters
    ----------
    scan : Scan
        The first scan, with its views.
    path : Path
        The other one.
    distance_m : float or None
        Its distance where the user gives it.
    values : mapping
        Parameters of `ctf`.
    through : callable
        Takes it through the steps before ctf.

    Returns
    -------
    Distance
        The other scan, not moved yet.

    Raises
    ------
    InputError
        It is no scan, has another energy or size, holds no counts and no transmission, or lacks an angle of the first.
    MissingData
        Its distance is not known.
    """
    further = formats.open(path)
    if not isinstance(further, Scan):
        raise InputError(f"{path} holds an image, not a scan at another distance")
    scale = 1.0
    if further.pixel_m is not None:
        fine = values["pixel_m"] / _bins(scan.projections)
        scale = 1.0 if np.isclose(fine, further.pixel_m.value, rtol=1e-6) else fine / further.pixel_m.value
    energy = further.energy_kev
    if energy is not None and not np.isclose(energy.value, values["energy_kev"], rtol=1e-3):
        raise InputError(
            f"{path}: the energy is {units.show(energy.value, 'keV')}, but "
            f"{units.show(values['energy_kev'], 'keV')} in {scan.path}; step ctf needs scans of one energy"
        )
    matched = _as_seen(further, scan.projections, scale)
    if distance_m is None:
        if further.distance_m is None:
            raise MissingData(
                f"{path} does not tell its distance; give those of all further scans, --set ctf.distances='3 cm, 8 cm'"
            )
        distance_m = further.distance_m.value
    if scale == 1 and matched.shape[1:] != scan.shape[1:]:
        raise InputError(
            f"{path}: frames of {matched.shape[1]} × {matched.shape[2]} lie beside those of {scan.path}, which are "
            f"{scan.shape[1]} × {scan.shape[2]}; give scans of one size, or their pixel sizes"
        )
    if matched.domain not in ("counts", "transmission"):
        raise InputError(
            f"{path} holds {matched.domain}; step ctf needs counts or transmission at each distance"
        )
    views = _same_angles(scan, matched, path)
    return Distance(matched, through(matched), through(matched, by_frame=True), distance_m, views, scale)


def _bins(frames: Frames) -> int:
    """Return how many columns of the file one column is the mean of."""
    if isinstance(frames, BinnedFrames):
        return frames.columns * _bins(frames.source)
    return _bins(frames.source) if isinstance(frames, CroppedFrames | ChosenFrames) else 1


def _as_seen(further: Scan, frames: Frames, scale: float) -> Scan:
    """Crop and bin another scan as the first one is; which views were chosen is seen by their angles."""
    if isinstance(frames, ChosenFrames):
        return _as_seen(further, frames.source, scale)
    if isinstance(frames, CroppedFrames):
        if scale != 1:
            raise InputError(
                f"{further.path} has another pixel size than the first scan, whose frames are cropped; step ctf needs "
                f"whole frames to put one on the other: leave the crop away"
            )
        inner = _as_seen(further, frames.source, scale)
        rows, columns = (f"{part.start}:{part.stop}" for part in (frames.rows, frames.columns))
        return crop.function(inner, rows=rows, columns=columns)
    if isinstance(frames, BinnedFrames):
        if frames.frames > 1:
            raise InputError(
                "step ctf cannot follow views that are means of neighbours; leave bin.angles at 1"
            )
        inner = _as_seen(further, frames.source, scale)
        return binned.function(inner, rows=frames.rows, columns=frames.columns)
    return further


def _same_angles(scan: Scan, further: Scan, path: Any) -> NDArray[np.intp]:
    """Return the view of another scan at each angle of the first."""
    scan_angles, further_angles = scan.angles_deg.value, further.angles_deg.value
    order = np.argsort(further_angles, kind="stable")
    after = np.clip(np.searchsorted(further_angles[order], scan_angles), 1, max(1, len(further_angles) - 1))
    nearer = np.abs(further_angles[order][after - 1] - scan_angles) <= np.abs(
        further_angles[order][after % len(further_angles)] - scan_angles
    )
    nearest = order[np.where(nearer, after - 1, after % len(further_angles))]
    steps = np.abs(np.diff(np.sort(scan_angles)))
    apart = np.abs(further_angles[nearest] - scan_angles)
    allowed = 0.25 * float(np.median(steps)) if len(steps) else 0.25
    if apart.max() > allowed + 1e-9:
        worst = int(np.argmax(apart))
        raise InputError(
            f"{path} has no view at {scan_angles[worst]:g}°, where {scan.path} has one; the nearest is at "
            f"{further_angles[nearest[worst]]:g}°. Choose views that both have with select_views"
        )
    return np.asarray(nearest, np.intp)
