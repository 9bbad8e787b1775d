"""The probe that finds the rotation axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import array
from tomarium.kernels.axis import AxisEstimate, find, sampled_rows
from tomarium.model import Layout, Scan, Slab
from tomarium.steps.core.parameter import Count
from tomarium.steps.core.sample import Sample, sample_of
from tomarium.steps.core.step import Values, probe
from tomarium.steps.correct.flat_field import attenuation_of, average_references

_VIEWS_AT_ONCE: Final = 64


def _reads(values: Values, layout: Layout) -> tuple[slice, ...]:
    height = layout.rows
    size = min(values["group_rows"], height)
    rows = sampled_rows(height, groups=values["groups"], rows_per_group=size).reshape(-1, size)
    return tuple(slice(int(group[0]), int(group[-1]) + 1) for group in rows)


def _warnings(fit: Mapping[str, Any]) -> list[str]:
    if fit["confidence"] == "high":
        return []
    return [
        f"the rotation axis was found with {fit['confidence']} confidence at column {fit['answer']:.2f}: look at "
        f"slices, and give --axis if they show arcs or doubled edges"
    ]


@probe(
    fills="axis_column",
    answer=lambda estimate: estimate.column,
    reads=_reads,
    warnings=_warnings,
    aliases=("rotation_axis", "rotation_axis.py", "a"),
)
def find_axis(sample: Scan | Sample, *, groups: Count = 5, group_rows: Count = 8) -> AxisEstimate:
    """Find the column of the rotation axis by a vote of methods of different families.

    Static patterns are removed first; then opposite projections are correlated, the Fourier transform of
    the sinogram is looked at, and where the sample stays inside the field of view its centre of mass is
    followed. The confidence is high only where families that err in different ways agree.

    Parameters
    ----------
    sample : Scan or Sample
        The scan, or what the steps before the probe leave of it; a few groups of rows are read at all angles.
    groups : int
        Groups of neighbouring rows, spread over the height of the detector.
    group_rows : int
        Rows of a group, which are averaged where a method asks for less noise.

    Returns
    -------
    AxisEstimate
        Column (0-based, pixel centres at integers), confidence, type of the scan and the candidates.

    Raises
    ------
    InputError
        The scan has fewer than two views, or nothing in it moves.

    References
    ----------
    N. T. Vo et al., Optics Express 22, 19078 (2014), doi 10.1364/OE.22.019078; C. H. Knapp and G. C. Carter, IEEE
    Transactions on Acoustics, Speech, and Signal Processing 24, 320 (1976), doi 10.1109/TASSP.1976.1162830.
    """
    reached = sample_of(sample)
    rows = _reads({"groups": groups, "group_rows": group_rows}, reached.layout)
    slabs = reached.read(rows)
    angles = reached.layout.geometry.angles_deg.value
    attenuation = _side_by_side(slabs, reached.scan)
    return find(attenuation, angles, rows_per_group=slabs[0].data.shape[1], overwrite=True)


def _side_by_side(slabs: Sequence[Slab], scan: Scan) -> NDArray[np.float32]:
    """Bring slabs to attenuation in one array: memory for each, and then for all, takes longer than the work in it."""
    ends = np.cumsum([slab.data.shape[1] for slab in slabs])
    views, _, columns = slabs[0].data.shape
    attenuation = np.empty((views, int(ends[-1]), columns), np.float32)
    for slab, end in zip(slabs, ends.tolist(), strict=True):
        target = attenuation[:, end - slab.data.shape[1] : end]
        if slab.domain == "counts" and scan.flats is not None:
            references = average_references(scan, slab.rows)
            for first in range(0, views, _VIEWS_AT_ONCE):
                part = slab.data[first : first + _VIEWS_AT_ONCE]
                at = np.arange(first, first + len(part), dtype=np.float64)
                target[first : first + len(part)] = attenuation_of(
                    part, references, slab.rows, array.processors(), at
                )
        else:
            target[...] = attenuation_of_slab(slab, scan)
    return attenuation


def attenuation_of_slab(slab: Slab, scan: Scan) -> NDArray[np.float32]:
    """Bring what reaches a probe to attenuation.

    Parameters
    ----------
    slab : Slab
        Some rows at all angles: counts, transmission or attenuation.
    scan : Scan
        Its flats and darks; without flats the brightest pixels are taken for the open beam.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Attenuation, dimensionless.
    """
    if slab.domain == "attenuation":
        return np.asarray(slab.data, np.float32)
    if slab.domain == "counts" and scan.flats is not None:
        references = average_references(scan, slab.rows)
        return attenuation_of(slab.data, references, slab.rows, array.processors())
    return _without_flats(slab.data)


def _without_flats(counts: NDArray[Any]) -> NDArray[np.float32]:
    """Take the brightest pixels for the open beam, where no flat field tells it."""
    values = np.asarray(counts, np.float32)
    finite = values[np.isfinite(values)]
    bright = float(np.percentile(finite, 99)) if finite.size else 1.0
    bright = bright if bright > 0 else 1.0
    transmission = np.clip(np.nan_to_num(values, nan=bright) / np.float32(bright), 1e-6, None)
    return np.asarray(-np.log(transmission), np.float32)
