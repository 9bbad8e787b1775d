"""One phase of a volume, such as its solid or its pores: which voxels belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.grey_values import grey_values
from tomarium.kernels.thresholds import otsu
from tomarium.model import Volume
from tomarium.pipeline.segment.field import stated_field
from tomarium.pipeline.segment.label_volume import Tell
from tomarium.pipeline.segment.slabs import inside

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
