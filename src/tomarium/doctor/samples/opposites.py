"""Attenuation of sampled projections, and the column about which those half a turn apart mirror each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.samples.frame_sample import FrameSample
from tomarium.kernels.axis.mirror import mirror_column


def axis_of(sample: FrameSample) -> float | None:
    """Find the column about which projections mirror each other that are half a turn apart by their angles.

    Parameters
    ----------
    sample : FrameSample
        Frames of a scan.

    Returns
    -------
    float or None
        0-based column; None where they are no mirror images, or nearly so about several columns.
    """
    if not len(sample.flats) or not sample.good.any():
        return None
    seen = {
        place: profiles(sample, place) for place in sorted({p for pair in sample.opposites for p in pair})
    }
    return mirror_column([(seen[value], seen[other]) for value, other in sample.opposites])


def profiles(sample: FrameSample, place: int) -> NDArray[np.float32]:
    """Return the attenuation of a projection in up to eight groups of rows.

    Parameters
    ----------
    sample : FrameSample
        Frames of a scan with flats.
    place : int
        Its place in `sample.projections`.

    Returns
    -------
    array of float32, shape (group, column)
        Means of the good pixels, between which defective columns are interpolated.
    """
    beam = np.where(sample.good, sample.open_beam, 1.0)
    through = (sample.projections[place].astype(np.float32) - sample.dark) / beam
    attenuation = -np.log(np.clip(np.nan_to_num(through, nan=1.0), 1e-3, 10.0))
    groups = min(8, len(attenuation))
    profiles = []
    for values, good in zip(
        np.array_split(attenuation, groups), np.array_split(sample.good, groups), strict=True
    ):
        count = np.count_nonzero(good, axis=0)
        profile = np.where(good, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        seen = np.flatnonzero(count)
        if len(seen):
            profile = np.interp(np.arange(len(profile)), seen, profile[seen])
        profiles.append(profile)
    return np.asarray(profiles, np.float32)
