"""One phase of a volume, such as its solid or its pores: which voxels belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium import array, units
from tomarium.errors import InputError
from tomarium.kernels.grey_values import grey_values
from tomarium.kernels.thresholds import otsu
from tomarium.model import Volume
from tomarium.pipeline.segment.field import stated_field
from tomarium.pipeline.segment.label_volume import Tell
from tomarium.pipeline.segment.slabs import inside, slab_height, slabs

Of = Literal["solid", "pores"]
PHASES: Final[tuple[Of, ...]] = ("solid", "pores")


@dataclass(frozen=True)
class Phase:
    """Which voxels of a volume are counted, and as what.

    Attributes
    ----------
    volume : Volume
        Grey values, or labels.
    of : {"solid", "pores"}
        What is above the threshold, or what is not.
    threshold : float
        In the volume's unit.
    source : str
        Where the threshold comes from, in words.
    counted : array of bool, shape (y, x)
        Part of each slice that counts: the inscribed circle, or all.
    """

    volume: Volume
    of: Of
    threshold: float
    source: str
    counted: NDArray[np.bool_]

    @property
    def is_circle(self) -> bool:
        """Whether a part of each slice does not count."""
        return not bool(self.counted.all())

    def read(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Return which voxels of the slices start to stop - 1 are of this phase, inside what counts.

        Raises
        ------
        InputError
            A voxel that counts is not finite: it is neither solid nor pore.
        """
        values = np.asarray(self.volume[start:stop])
        if values.dtype.kind == "f" and not bool(np.isfinite(values[:, self.counted]).all()):
            raise InputError(
                f"{self.volume.path or self.volume.name}: slices {start} to {stop - 1} hold values that are not "
                f"finite, which are neither solid nor pores; write labels with `tomarium segment` and measure these"
            )
        above = values > self.threshold
        return np.asarray((above if self.of == "solid" else ~above) & self.counted)


def phase_of(
    volume: Volume,
    of: Of = "solid",
    threshold: float | None = None,
    *,
    whole: bool = False,
    tell: Tell | None = None,
) -> Phase:
    """Tell which voxels of a volume are solid, or pores.

    Parameters
    ----------
    volume : Volume
        Grey values in any unit, or labels that `tomarium segment` wrote: of these, all that is not 0 is solid.
    of : {"solid", "pores"}
        Which of the two.
    threshold : float, optional
        In the volume's unit; solid is above it. By default that of Otsu.
    whole : bool
        Whether the corners outside of the inscribed circle of square slices count too, as they do where the volume
        tells that it is of a box.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Phase
        Nothing but the histogram was read.

    Raises
    ------
    InputError
        All grey values are the same, or none is finite.
    """
    say = tell or (lambda stage, done, total: None)
    circle = volume.shape[1] == volume.shape[2] and not whole and stated_field(volume)[0] != "box"
    source = "given by the user"
    is_labels = "segmentation" in volume.metadata or volume.holds_labels or volume.dtype.kind == "b"
    if threshold is None and is_labels:
        threshold, source = 0.0, "of labels, 0 is background"
    elif threshold is None:
        values = grey_values(
            volume.data, circle=circle, tell=lambda done, total: say("grey values", done, total)
        )
        threshold, source = otsu(values.counts, values.low, values.high), "found by Otsu"
    return Phase(volume, of, float(threshold), source, inside(volume.shape, disc=circle))


def phase_in_memory(
    volume: Volume,
    of: Of,
    threshold: float | None,
    what: str,
    bytes_a_voxel: int,
    *,
    whole: bool,
    memory_bytes: int | None,
    tell: Tell,
) -> tuple[Phase, NDArray[np.bool_]]:
    """Read the phase of a volume whole, where memory suffices for what is measured of it.

    Parameters
    ----------
    volume : Volume
        Grey values or labels, in voxels that are cubes.
    of, threshold, whole
        As `phase_of` takes them.
    what : str
        What is measured, in words.
    bytes_a_voxel : int
        Memory that this takes.
    memory_bytes : int or None
        Memory that may be used; None for what is available.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    phase : Phase
        Which voxels.
    body : array of bool, shape (z, y, x)
        These voxels.

    Raises
    ------
    InputError
        Voxels are no cubes, memory does not suffice, or as `phase_of` and `Phase.read`.
    """
    volume.demand_cubes(what)
    needed = bytes_a_voxel * int(np.prod(volume.shape))
    available = array.available_memory() if memory_bytes is None else memory_bytes
    if needed > available:
        raise InputError(
            f"{volume.path or volume.name}: {what} needs {units.show_bytes(needed)} of memory for "
            f"{' × '.join(map(str, volume.shape))} voxels, and {units.show_bytes(available)} are free; measure a part, "
            f"or a volume of longer voxels (`tomarium convert --cubes`)"
        )
    phase = phase_of(volume, of, threshold, whole=whole, tell=tell)
    body = np.empty(volume.shape, np.bool_)
    for start, stop in slabs(len(body), slab_height(volume.shape, 16)):
        body[start:stop] = phase.read(start, stop)
        tell("read", stop, len(body))
    return phase, body


def account_of(phase: Phase) -> dict[str, Any]:
    """Tell machines which phase was measured, and where."""
    return {
        "of": phase.of,
        "threshold": phase.threshold,
        "threshold_unit": phase.volume.unit,
        "threshold_source": phase.source,
        "field": "circle" if phase.is_circle else "box",
    }


def length_of_voxel(volume: Volume) -> tuple[float, str]:
    """Return the width of a voxel in µm ("um"), or 1 px where it is not known."""
    voxel = volume.voxel_m
    return (1.0, "px") if voxel is None else (voxel[2] * 1e6, "um")
