"""Figures of a finished volume: grey values, noise, rings, sharpness, and resolution of two halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.edge_width import MEASURABLE_PX, Edge, edges
from tomarium.kernels.grey_values import GreyValues, grey_values
from tomarium.kernels.image_statistics import disc_columns
from tomarium.kernels.metrics import noise, ring_index
from tomarium.kernels.ring_correlation import RingCorrelation, ring_correlation
from tomarium.kernels.slice_quality import (
    contrast_to_noise_of,
    cupping,
    entropy_bits,
    homogeneous,
    mean_gradient,
    negative_part,
)
from tomarium.model import Volume
from tomarium.pipeline.segment.field import stated_field

PERCENTILES: Final = (0.01, 0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9, 99.99)
SLICES: Final = 9
"""Slices that noise, rings and edges are measured in, evenly over the middle 80 % of the volume."""

FEWEST_EDGES: Final = 5
"""Edges from which their median is told."""

SECTORS: Final = 8
"""Parts of the circle by which rings are measured that change along it."""

FIGURES: Final = (
    "ring_index_of_sectors", "signal_to_noise", "contrast_to_noise", "cupping", "entropy_bits", "mean_gradient",
    "negative_part",
)  # fmt: skip
"""Further figures of a slice, each the median of the slices."""

_LEAST: Final = 48


@dataclass(frozen=True)
class VolumeFigures:
    """Figures of a volume; None where a thing cannot be told.

    Attributes
    ----------
    values : GreyValues
        Moments and histogram.
    slices : tuple of int
        Slices that what follows was measured in.
    noise : float or None
        Median of the slices, in the volume's unit.
    ring_index : float or None
        Median of the slices.
    edges : tuple of Edge
        Of all slices.
    quality : Mapping of str to float or None
        Medians of the slices, by the names of `FIGURES`.
    halves : RingCorrelation or None
        With another volume, where one was given.
    circle : bool
        Whether only the inscribed circle counts.
    """

    values: GreyValues
    slices: tuple[int, ...]
    noise: float | None
    ring_index: float | None
    edges: tuple[Edge, ...]
    quality: Mapping[str, float | None]
    halves: RingCorrelation | None
    circle: bool

    @property
    def edge_fwhm_px(self) -> float | None:
        """Median width (FWHM) of the edges in pixels; None with fewer than five."""
        widths = [edge.fwhm_px for edge in self.edges]
        return float(np.median(widths)) if len(widths) >= FEWEST_EDGES else None


def measure(
    volume: Volume,
    other: Volume | None = None,
    *,
    whole: bool = False,
    tell: Callable[[str, int, int], None] | None = None,
) -> VolumeFigures:
    """Measure a volume, slab by slab.

    Parameters
    ----------
    volume : Volume
        Any finished volume (z, y, x).
    other : Volume, optional
        The same reconstructed of the other half of the views: the resolution is that at which both agree.
    whole : bool
        Whether voxels outside of the inscribed circle count too, as they do where the volume tells that it is a box.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    VolumeFigures
        Its figures.

    Raises
    ------
    InputError
        No voxel is finite, or the two volumes differ in shape.
    """
    if other is not None and other.shape != volume.shape:
        raise InputError(
            f"{volume.path} has shape {volume.shape}, {other.path} {other.shape}; give two halves of one shape"
        )
    say = tell or (lambda stage, done, total: None)
    depth, rows, columns = volume.shape
    circle = rows == columns and not whole and stated_field(volume)[0] != "box"
    values = grey_values(volume.data, circle=circle, tell=lambda done, total: say("grey values", done, total))
    chosen = _choose_slices(depth)
    measured_slices: list[tuple[float, float, list[Edge]]] = []
    quality: list[dict[str, float]] = []
    limits = values.percentile(0.1), values.percentile(99.9)
    if min(rows, columns) >= _LEAST:
        for done, z in enumerate(chosen, 1):
            plane = _without_nonfinite(np.asarray(volume[z], np.float64))
            measured_slices.append(_measure_slice(plane, circle, _axis(volume)))
            quality.append(_quality(plane, circle, _axis(volume), limits))
            say("slices", done, len(chosen))
    halves = None if other is None else ring_correlation(_pairs(volume, other, chosen, say))
    return VolumeFigures(
        values,
        chosen,
        float(np.median([of_slice[0] for of_slice in measured_slices])) if measured_slices else None,
        _median([of_slice[1] for of_slice in measured_slices]),
        tuple(edge for of_slice in measured_slices for edge in of_slice[2]),
        {name: _median([of_slice[name] for of_slice in quality]) for name in FIGURES},
        halves,
        circle,
    )


def as_data(volume: Volume, measured: VolumeFigures) -> dict[str, Any]:
    """Write the figures of a volume for machines.

    Parameters
    ----------
    volume : Volume
        What was measured.
    measured : VolumeFigures
        Its figures.

    Returns
    -------
    dict
        JSON-ready, with `unit` and `voxel_m`; lengths in px, and in m where the voxel size is known.
    """
    values, voxel = measured.values, volume.voxel_m
    pixel = None if voxel is None else voxel[2]
    return {
        "shape": list(volume.shape),
        "dtype": volume.dtype.name,
        "unit": volume.unit,
        "voxel_m": None if voxel is None else list(voxel),
        "counted": "inside the inscribed circle of each slice" if measured.circle else "all voxels",
        "voxels": values.count,
        "not_finite": values.not_finite,
        "minimum": values.minimum,
        "maximum": values.maximum,
        "mean": values.mean,
        "standard_deviation": values.standard_deviation,
        "percentiles": {f"{percent:g}": values.percentile(percent) for percent in PERCENTILES},
        "percentile_error": values.bin_width,
        "slices": list(measured.slices),
        "noise": measured.noise,
        "ring_index": measured.ring_index,
        "ring_index_of_sectors": measured.quality["ring_index_of_sectors"],
        "signal_to_noise": measured.quality["signal_to_noise"],
        "contrast_to_noise": measured.quality["contrast_to_noise"],
        "cupping": measured.quality["cupping"],
        "entropy_bits": measured.quality["entropy_bits"],
        "mean_gradient": measured.quality["mean_gradient"],
        "negative_part": measured.quality["negative_part"],
        "edges": _edge_data(measured, pixel),
        "halves": None if measured.halves is None else _correlation_data(measured.halves, pixel),
        "histogram": _histogram_data(values),
    }


def _edge_data(measured: VolumeFigures, pixel: float | None) -> dict[str, Any]:
    width = measured.edge_fwhm_px
    quartiles = (
        None if width is None else np.percentile([edge.fwhm_px for edge in measured.edges], [25, 75]).tolist()
    )
    return {
        "count": len(measured.edges),
        "fwhm_px": width,
        "limit": _limit_text(width),
        "fwhm_quartiles_px": quartiles,
        "fwhm_m": None if width is None or pixel is None else width * pixel,
    }


def _limit_text(width: float | None) -> str | None:
    """Say where a width lies at the end of what can be told."""
    low, high = MEASURABLE_PX
    if width is None or low < width < high:
        return None
    return "at most" if width <= low else "at least"


def _correlation_data(correlation: RingCorrelation, pixel: float | None) -> dict[str, Any]:
    resolution = correlation.resolution_px
    return {
        "resolution_px": resolution,
        "resolution_m": None if resolution is None or pixel is None else resolution * pixel,
        "criterion": "half-bit, of two halves of the views",  # `doubts_of_halves` says where that is not so
        "frequency_1_px": correlation.frequency.tolist(),
        "correlation": correlation.correlation.tolist(),
        "threshold": correlation.threshold.tolist(),
    }


def _histogram_data(values: GreyValues) -> dict[str, Any]:
    """Sum the fine bins to 256."""
    return {
        "edges": np.linspace(values.low, values.high, 257).tolist(),
        "counts": values.counts.reshape(256, -1).sum(1).tolist(),
        "below": values.below,
        "above": values.above,
    }


def _choose_slices(depth: int) -> tuple[int, ...]:
    """Choose slices evenly over the middle 80 % of the volume."""
    places = np.linspace(0.1 * (depth - 1), 0.9 * (depth - 1), SLICES).round().astype(int)
    return tuple(dict.fromkeys(places.tolist()))


def _measure_slice(
    plane: NDArray[np.float64], circle: bool, axis: tuple[float, float] | None
) -> tuple[float, float, list[Edge]]:
    """Measure noise and edges within the circle only, for its border is an edge of its own."""
    rows, columns = plane.shape
    aside = int(np.ceil(min(rows, columns) * (1 - 1 / np.sqrt(2)) / 2)) if circle else 0
    inner = plane[aside : rows - aside, aside : columns - aside]
    sigma = noise(inner)
    mask = _inside(rows, columns) if circle else None
    return sigma, ring_index(plane, axis, sigma), edges(plane, mask)


def _quality(
    plane: NDArray[np.float64], circle: bool, axis: tuple[float, float] | None, limits: tuple[float, float]
) -> dict[str, float]:
    """Return what `FIGURES` names."""
    mask = _inside(*plane.shape) if circle else None
    parts = homogeneous(plane, mask)
    low, high = limits
    return {
        "ring_index_of_sectors": ring_index(plane, axis, sectors=SECTORS),
        "signal_to_noise": parts[0].signal_to_noise if parts else float("nan"),
        "contrast_to_noise": contrast_to_noise_of(parts),
        "cupping": cupping(plane, parts[0].middles, axis) if parts else float("nan"),
        "entropy_bits": entropy_bits(plane, low, high, mask) if high > low else 0.0,
        "mean_gradient": mean_gradient(plane, mask),
        "negative_part": negative_part(plane, mask),
    }


def _without_nonfinite(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the median in place of what is not finite."""
    finite = np.isfinite(plane)
    if finite.all():
        return plane
    return np.where(finite, plane, np.median(plane[finite]) if finite.any() else 0.0)


def _inside(rows: int, columns: int) -> NDArray[np.bool_]:
    """Return the inscribed circle less 12 px, for its border is an edge of its own."""
    first, last = disc_columns(rows, columns)
    x = np.arange(columns)
    mask = (x >= (first + 12)[:, None]) & (x < (last - 12)[:, None])
    mask[:12], mask[-12:] = False, False
    return np.asarray(mask, np.bool_)


def _axis(volume: Volume) -> tuple[float, float] | None:
    """Return the place (y, x) of the rotation axis, the origin of the axes, in px; None where it is not inside."""
    places = [-axis.offset / axis.scale if axis.scale else 0.0 for axis in volume.axes[1:]]
    inside = all(0 < place < length - 1 for place, length in zip(places, volume.shape[1:], strict=True))
    return (places[0], places[1]) if inside else None


def _median(values: list[float]) -> float | None:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else None


def _pairs(
    volume: Volume, other: Volume, chosen: tuple[int, ...], say: Callable[[str, int, int], None]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    for done, z in enumerate(chosen, 1):
        yield np.asarray(volume[z], np.float64), np.asarray(other[z], np.float64)
        say("halves", done, len(chosen))
