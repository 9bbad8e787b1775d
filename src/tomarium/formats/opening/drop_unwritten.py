"""Scans that were stopped: the projections that were announced and never written are left out, and it is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.frames.mirrored import FlippedFrames, stored
from tomarium.formats.hdf5.frames import Hdf5Frames
from tomarium.model import FrameKind, Frames, Scan
from tomarium.model.scan import Reference


def without_unwritten(scan: Scan) -> Scan:
    """Leave out the projections of a scan that no one has written.

    Result: with the projections that are there, their angles, and the references where they were taken among
    them. Frames that lie in an absent file stay, as they can be had. A scan without any projection is left as
    it is.
    """
    written = _written_frames(scan.projections)
    if written is None or not len(written):
        return scan
    count = scan.shape[0]
    angles = scan.angles_deg
    if len(angles.value) == count:
        angles = replace(angles, value=angles.value[written])
    warning = (
        f"{count - len(written)} of {count} projections were never written and are left out; "
        f"{len(written)} are there"
    )
    motors = {
        name: replace(motor, value=motor.value[written]) if len(motor.value) == count else motor
        for name, motor in scan.geometry.motors.items()
    }
    return replace(
        scan,
        projections=_choose(scan.projections, written),
        flats=_with_positions(scan.flats, written, count),
        darks=_with_positions(scan.darks, written, count),
        counts={**scan.counts, FrameKind.PROJECTION: len(written)},
        warnings=(*scan.warnings, warning),
    ).with_geometry(angles_deg=angles, motors=motors)


def _written_frames(frames: Frames) -> NDArray[np.intp] | None:
    """Return which frames of a stack are there; None where nothing is known to lack."""
    frames = stored(frames)
    if not isinstance(frames, Hdf5Frames):
        return None
    numbers = np.arange(frames.size[0]) if frames.index is None else frames.index
    lacks = np.zeros(len(numbers), bool)
    for gap in frames.gaps:
        if not gap.file:
            lacks |= (numbers >= gap.first) & (numbers < gap.last)
    return np.flatnonzero(~lacks) if lacks.any() else None


def _choose(frames: Frames, chosen: NDArray[np.intp]) -> Frames:
    if isinstance(frames, FlippedFrames):
        return replace(frames, stored=_choose(frames.stored, chosen))
    assert isinstance(frames, Hdf5Frames)
    return replace(frames, index=chosen if frames.index is None else frames.index[chosen])


def _with_positions(reference: Reference | None, written: NDArray[np.intp], count: int) -> Reference | None:
    """Say anew when references were taken, on the scale of the projections that are left."""
    if reference is None:
        return None
    old = reference.position
    rank = np.searchsorted(written, old).astype(np.float64)
    between = rank - np.where(old == np.floor(old), 0.0, 0.5)
    new = np.where(old < 0, old, np.where(old >= count, old - count + len(written), between))
    return replace(reference, position=new)
