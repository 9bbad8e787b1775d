"""Denoise the volume of a record: the strength is tuned on slices from parts of the views (Noise2Inverse)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.conversion.convert import Converted, convert
from tomarium.errors import InputError, ParameterError, TomariumError
from tomarium.kernels.denoising import (
    FILTERS,
    Filter,
    alias_of,
    best_strength,
    cross_error,
    denoise_slice,
    strength_of_whole,
    strengths,
)
from tomarium.kernels.fbp import fbp
from tomarium.kernels.image_statistics import counted_columns
from tomarium.kernels.metrics import noise
from tomarium.kernels.projection import project
from tomarium.model import Scan, Volume
from tomarium.model.image import metadata_without_run
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.run.reconstruct import Slices, slices_at
from tomarium.pipeline.segment.field import stated_field
from tomarium.steps.views.select_views import chosen

SPLITS: Final = 4
SLICES: Final = 3
"""Slices that the strength is tuned on, evenly over the middle 80 % of the volume."""

FEWEST_VIEWS: Final = 16

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TunedFilter:
    """Filter and strength that were tuned on parts of the views.

    Attributes
    ----------
    kind : {"gaussian", "tv"}
        Filter.
    strength : float
        σ in px, or the weight of the total variation in the volume's unit; 0 where no filter makes it better.
    rows : tuple of int
        Detector rows of the slices that were looked at.
    splits : int
        Parts of the views.
    gain : float
        Share of the mean square error that is left, by the cross errors; 1 where nothing is gained.
    corrected : bool
        Whether streaks of the parts, which have few views, were told from noise.
    """

    kind: Filter
    strength: float
    rows: tuple[int, ...]
    splits: int
    gain: float
    corrected: bool


def tune(
    scan: Scan,
    protocol: Protocol,
    rows: slice,
    *,
    kinds: tuple[Filter, ...] = FILTERS,
    splits: int = SPLITS,
    tell: Tell | None = None,
) -> TunedFilter:
    """Choose a filter and its strength by what parts of the views tell of each other.

    1. The views are dealt out to S parts, every S-th to one, and some slices are reconstructed from each.
    2. The cross error of each strength is what the filter makes of S - 1 parts, against the part that is left.
    3. A part has streaks, for it has few views; they are told from noise by the best of these slices, projected and
       reconstructed from the views of each part and from all. The cross error is taken again without them.
    4. The strength with the least error is the one for S - 1 parts; all views have a little less noise.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        As the volume was made, every value given; it ends in slices.
    rows : slice
        Detector rows of the volume.
    kinds : tuple of {"gaussian", "tv"}
        Filters that are tried.
    splits : int
        2 to 8.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    TunedFilter
        The filter and its strength.

    Raises
    ------
    InputError
        There are fewer than 16 views for a part, or the protocol cannot work on part of the views.
    ParameterError
        Another number of parts.
    """
    say = tell or (lambda stage, done, total: None)
    views = scan.shape[0]
    if not 2 <= splits <= 8:
        raise ParameterError(f"{splits} parts of the views: give 2 to 8")
    if views // splits < FEWEST_VIEWS:
        raise InputError(
            f"{scan.path}: {views} views are too few for {splits} parts; give the strength yourself"
        )
    height = rows.stop - rows.start
    places = np.linspace(0.1 * (height - 1), 0.9 * (height - 1), SLICES).round().astype(int)
    numbers = tuple(dict.fromkeys((rows.start + places).tolist()))
    slices_of_parts: list[list[Slices]] = []
    for number in range(splits):
        say("parts", number, splits)
        part = chosen(scan, np.arange(number, views, splits))
        try:
            slices_of_parts.append(slices_at(part, numbers, protocol, force=True))
        except TomariumError as problem:
            raise InputError(
                f"{scan.path}: part of its views cannot be reconstructed by this protocol ({problem}); give the "
                f"strength yourself, such as --method gaussian --strength 0.8"
            ) from problem
    say("parts", splits, splits)
    stacks = [
        [np.asarray(slices[k].slab.data[0], np.float32) for slices in slices_of_parts]
        for k in range(len(numbers))
    ]
    views_of_parts = [_views_of(slices[0]) for slices in slices_of_parts]
    return _tune_stacks(stacks, views_of_parts, numbers, kinds, splits, say)


def _views_of(slices: Slices) -> tuple[NDArray[np.float64], float, int] | None:
    """Return the angles of a part, its axis and its columns; None where slices are not made about the axis by them."""
    layout = next((item.before for item in slices.resolution.work if item.after.domain == "slice"), None)
    if layout is None:
        return None
    angles, axis = layout.geometry.angles_deg, slices.resolution.geometry.axis_column
    size = slices.slab.data.shape[-1]
    same = slices.resolution.layout.first_voxel is None or np.allclose(
        slices.resolution.layout.first_voxel, -(size - 1) / 2
    )
    if axis is None or not same or layout.shape[2] != size or slices.slab.data.shape[1] != size:
        return None
    return np.asarray(angles.value, np.float64), float(axis.value), size


def _reprojection(
    views: list[tuple[NDArray[np.float64], float, int]],
) -> Callable[[NDArray[np.float32], int | None], NDArray[np.floating]]:
    """Return what projects a slice and reconstructs it from a part of the views, or from all."""
    everything = np.concatenate([view[0] for view in views])
    order = np.argsort(everything, kind="stable")

    def reproject(image: NDArray[np.float32], part: int | None) -> NDArray[np.floating]:
        angles = everything[order] if part is None else views[part][0]
        _, axis, columns = views[0]
        sinogram = project(image, angles, axis, columns)
        turn = 360.0 if np.ptp(everything) > 270 else 180.0
        return np.asarray(fbp(sinogram, angles, axis, size=columns, turn_deg=turn))

    return reproject


def _tune_stacks(
    stacks: list[list[NDArray[np.float32]]],
    views: list[tuple[NDArray[np.float64], float, int] | None],
    rows: tuple[int, ...],
    kinds: tuple[Filter, ...],
    splits: int,
    say: Tell,
) -> TunedFilter:
    mask = _mask(stacks[0][0].shape)
    sigma = float(np.median([noise(np.mean(parts, axis=0)) for parts in stacks]))
    if sigma <= 0:
        return TunedFilter(kinds[0], 0.0, rows, splits, 1.0, False)
    known_views = [view for view in views if view is not None]
    alias: list[list[NDArray[np.floating]] | None] = [None] * len(stacks)
    if len(known_views) == splits:
        first, reproject = strengths("tv", sigma), _reprojection(known_views)
        for number, parts in enumerate(stacks):
            say("streaks", number, len(stacks))
            strength = float(first[int(np.argmin(cross_error(parts, mask, "tv", first)))])
            alias[number] = alias_of(parts, "tv", strength, reproject)
        say("streaks", len(stacks), len(stacks))
    results: list[tuple[float, float, Filter, float]] = []
    for done, kind in enumerate(kinds):
        say("strength", done, len(kinds))
        trial_strengths = strengths(kind, sigma)
        with ThreadPoolExecutor(processors()) as pool:
            jobs = [
                pool.submit(cross_error, parts, mask, kind, trial_strengths, alias=alia)
                for parts, alia in zip(stacks, alias, strict=True)
            ]
            errors = np.mean([job.result() for job in jobs], axis=0)
        strength = strength_of_whole(best_strength(trial_strengths, errors), kind, splits)
        results.append((float(errors.min()), float(errors[0]), kind, strength))
    say("strength", len(kinds), len(kinds))
    least, unfiltered, kind, strength = min(results)
    # Without a filter the error is the noise of S - 1 parts and of the one: 1 of S parts of it can go.
    removable = unfiltered / splits
    gain = max(0.0, 1 - (unfiltered - least) / removable) if removable > 0 else 1.0
    return TunedFilter(kind, strength, rows, splits, gain, alias[0] is not None)


def _mask(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    first, last = counted_columns(shape[0], shape[1], disc=True)
    x, margin = np.arange(shape[1]), max(2, shape[1] // 50)
    mask = (x >= (first + margin)[:, None]) & (x < (last - margin)[:, None])
    mask[:margin], mask[-margin:] = False, False
    return np.asarray(mask)


@dataclass(frozen=True)
class Denoised:
    """A volume whose slices are denoised when they are read, each by itself.

    Attributes
    ----------
    volume : Volume
        Its own values.
    kind : {"gaussian", "tv"}
        Filter.
    strength : float
        As `denoise_slice` takes it.
    """

    volume: Volume
    kind: Filter
    strength: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel, float32."""
        return np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
        rows, *further = key if isinstance(key, tuple) else (key,)
        if isinstance(rows, int | np.integer):
            return self._filter_plane(np.asarray(self.volume[int(rows)]))[tuple(further)]
        planes = np.asarray(self.volume[rows])
        with ThreadPoolExecutor(processors()) as pool:
            filtered = list(pool.map(self._filter_plane, planes))
        result = np.stack(filtered) if filtered else np.zeros(planes.shape, np.float32)
        return result[(slice(None), *further)]

    def _filter_plane(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        finite = np.isfinite(plane)
        if finite.all():
            return denoise_slice(plane, self.kind, self.strength)
        filled = np.where(finite, plane, np.median(plane[finite]) if finite.any() else 0.0)
        return np.where(finite, denoise_slice(filled, self.kind, self.strength), plane).astype(np.float32)


def write_denoised(
    volume: Volume,
    target: Path,
    kind: Filter,
    strength: float,
    account: dict[str, Any],
    *,
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Converted:
    """Write a volume with its slices denoised.

    Parameters
    ----------
    volume : Volume
        Any.
    target : Path
        Where to; its ending decides the format.
    kind, strength
        As `denoise_slice` takes them.
    account : dict
        How the strength was found, JSON-ready; kept with the volume.
    overwrite : bool
        Whether a target that is there may be replaced.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Converted
        What became of the volume's parts.

    Raises
    ------
    InputError
        The target is there already.
    """
    say = tell or (lambda stage, done, total: None)
    denoised_account = {
        "filter": kind,
        "strength": strength,
        "unit": "px" if kind == "gaussian" else volume.unit,
        **({"field": field} if (field := stated_field(volume)[0]) else {}),
        **account,
    }
    denoised = replace(
        volume,
        data=Denoised(volume, kind, strength),
        levels=(),
        metadata={**metadata_without_run(volume.metadata), "denoised": denoised_account},
    )
    return convert(
        denoised,
        target,
        overwrite=overwrite,
        on_progress=lambda done, total: say("write MB", done // 1_000_000, total // 1_000_000),
    )
