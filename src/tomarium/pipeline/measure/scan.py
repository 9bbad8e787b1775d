"""Figures of a scan: of a few of its slices, and of the same slices of its even and its odd views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tomarium import array
from tomarium.errors import InputError
from tomarium.kernels.ring_correlation import ring_correlation
from tomarium.model import Axis, Scan, Volume
from tomarium.model.geometry import PER_VIEW
from tomarium.pipeline.measure.measure import SLICES, Measured, measure
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import evaluate
from tomarium.pipeline.run.reconstruct import Slices, slices_at
from tomarium.steps.views.select_views import select_views


def measure_scan(
    scan: Scan,
    protocol: Protocol,
    *,
    whole: bool = False,
    tell: Callable[[str, int, int], None] | None = None,
) -> tuple[Volume, Measured]:
    """Reconstruct a few slices of a scan, of all views and of the even and the odd ones, and measure them.

    Probes are asked once, of all views: both halves have the same rotation axis.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is done with it; it ends in slices.
    whole : bool
        Whether voxels outside of the inscribed circle count too.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    volume : Volume
        The slices of all views, evenly over the middle 80 % of the rows.
    measured : Measured
        Figures of these, and as `halves` the Fourier ring correlation of the even and the odd views. A half has half
        of the views: what it resolves is the least that the whole does.

    Raises
    ------
    InputError
        The protocol does not end in slices, or shifts of single views were found by it, which halves cannot take.
    MissingData, ParameterError
        As `tomarium.pipeline.plan`.
    """
    say = tell or (lambda stage, done, total: None)
    height = resolve(protocol, scan).scan.shape[1]
    rows = sorted({int(row) for row in np.linspace(0.1 * (height - 1), 0.9 * (height - 1), SLICES).round()})
    sliceses = slices_at(scan, rows, protocol)
    say("reconstruct", 1, 3)
    first = sliceses[0]
    if first.slab.domain != "slice":
        raise InputError(
            f"{scan.path}: the protocol ends in {first.slab.domain}, not in slices; give one that reconstructs"
        )
    if any(name in answer for answer in first.answers.values() for name in PER_VIEW):
        raise InputError(
            f"{scan.path}: the protocol finds a shift for each view, which half of the views cannot take; run it on "
            f"both halves as `tomarium measure --help` shows, and give --other"
        )
    planes = []
    for k, keep in enumerate(("::2", "1::2")):
        planes.append(_planes(select_views(scan, keep=keep), rows, protocol, first))
        say("reconstruct", k + 2, 3)
    volume = _volume(scan, sliceses)
    measured = measure(volume, whole=whole, tell=tell)
    pairs = (
        (np.asarray(even, np.float64), np.asarray(other, np.float64))
        for even, other in zip(*planes, strict=True)
    )
    return volume, replace(measured, slices=tuple(rows), halves=ring_correlation(pairs))


def _planes(
    half: Scan, rows: list[int], protocol: Protocol, slices_known: Slices
) -> list[NDArray[np.float32]]:
    """Reconstruct the rows of half of the views, with what the probes told of all of them."""
    resolution = resolve(protocol, half, slices_known.answers)
    slabs = evaluate(resolution, resolution.work, [slice(row, row + 1) for row in rows], array.processors())
    return [np.asarray(slab.data[0]) for slab in slabs]


def _volume(scan: Scan, slices_found: list[Slices]) -> Volume:
    """Stack the slices; they lie apart along z, so that the voxel size along it is not told by them."""
    layout = slices_found[0].resolution.layout
    voxel = layout.geometry.voxel_m
    scales, unit = ((1.0, 1.0, 1.0), "px") if voxel is None else (voxel, "m")
    data = np.concatenate([slices.slab.data for slices in slices_found])
    axes = tuple(Axis(name, scale, 0.0, unit) for name, scale in zip("zyx", scales, strict=True))
    return Volume(data, axes, layout.unit, scan.name)
